package record

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// written is a volume with whole segments [k, k+n) and then parts of the next,
// as it stands while the store still runs: the newest block is not sealed.
func written(t *testing.T, l Layout, k int64, n, parts int) (v *ram) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		live := newRAM()
		s := run(t, openRAM(t, live, Config{}))
		require.NoError(t, s.SetLayout(l))
		for i := range n {
			for p := range 16 {
				appendPart(s.Store, l, k+int64(i), p, partBytes)
				synctest.Wait()
			}
		}
		for p := range parts {
			appendPart(s.Store, l, k+int64(n), p, partBytes)
			synctest.Wait()
		}
		v = live.crash(0)
	})
	return v
}

// start is a segment that is not the first of its span.
func start(l Layout) int64 {
	k := l.Grid.SegmentAfter(noon)
	return k - k%blockSegments + 3
}

func TestTornTailAtEveryByte(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	v := written(t, l, k, 1, 2)
	names, _ := v.Names()
	require.Len(t, names, 1)
	whole := v.files[names[0]].data
	// The last group is the audio's, the one before it the two rungs'.
	torn := len(whole) - 3*(recordSize+len(chunkOf(l.Renditions[0], k, 1, partBytes).Data))
	for cut := torn; cut <= len(whole); cut++ {
		after := v.crash(0)
		after.files[names[0]].data = bytes.Clone(whole[:cut])
		s := openRAM(t, after, Config{})
		for _, r := range l.Renditions {
			listing := s.Edge().Listing(r.ID)
			require.Equal(t, wanted(r, k, 16, partBytes), bytesOf(t, s.Edge(), r.ID, k))
			parts := len(listing.Segment(k + 1).Parts())
			require.GreaterOrEqual(t, parts, 1)
			require.Equal(t, wanted(r, k+1, parts, partBytes), bytesOf(t, s.Edge(), r.ID, k+1))
		}
		if cut == len(whole) {
			require.Len(t, s.Edge().Listing("audio").Segment(k+1).Parts(), 2)
		}
		again := openRAM(t, after, Config{})
		require.Equal(t, listingText(s), listingText(again), "cut at %d: recovery is repeatable", cut)
		l, err := loadBlock(after.files[names[0]], nil)
		require.NoError(t, err)
		require.True(t, l.sealed, "the block was repaired")
	}
}

// F28: a file may have its new length and not its new data.
func TestHolesInTheTail(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	v := written(t, l, k, 1, 3)
	names, _ := v.Names()
	data := v.files[names[0]].data
	last := chunkOf(l.Renditions[2], k+1, 2, partBytes).Data
	for _, n := range []int{1, len(last), len(last) + recordSize, len(last) + recordSize + 10} {
		after := v.crash(0)
		damaged := after.files[names[0]].data
		clear(damaged[len(data)-n:])
		s := openRAM(t, after, Config{})
		listing := s.Edge().Listing("audio")
		require.Len(t, listing.Segment(k+1).Parts(), 2, "the last part is gone, the segment is not")
		require.Equal(t, wanted(l.Renditions[2], k+1, 2, partBytes), bytesOf(t, s.Edge(), "audio", k+1))
	}
}

func listingText(s *Store) string {
	var out strings.Builder
	for _, listing := range s.Edge().Listings() {
		for _, g := range listing.Range(0, 1<<40) {
			fmt.Fprintf(&out, "%s %+v\n", listing.ID, g.Describe())
		}
	}
	return out.String()
}

func TestIndexSaysWhatAScanFinds(t *testing.T) {
	l := layoutOf(t, "")
	v := written(t, l, start(l), 3, 5)
	scanned := openRAM(t, v, Config{}) // seals
	indexed := openRAM(t, v, Config{})
	require.NotEmpty(t, listingText(scanned))
	require.Equal(t, listingText(scanned), listingText(indexed))
}

func TestSealedBlocksAcrossSpansAndRuns(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	v := newRAM()
	var before string
	synctest.Test(t, func(t *testing.T) {
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		for n := k; n < k+130; n++ {
			for p := range 16 {
				appendPart(s.Store, l, n, p, partBytes)
				synctest.Wait()
			}
		}
		before = listingText(s.Store)
		s.stop()
	})
	names, _ := v.Names()
	require.Len(t, names, 3)
	for _, name := range names {
		l, err := loadBlock(v.files[name], nil)
		require.NoError(t, err)
		require.True(t, l.sealed, name)
	}
	synctest.Test(t, func(t *testing.T) {
		s := run(t, openRAM(t, v, Config{}))
		require.Equal(t, before, listingText(s.Store))
		// Another ladder in the next run; what is listed keeps its init sections.
		other := layoutOf(t, "-second")
		other.Renditions = other.Renditions[1:]
		require.NoError(t, s.SetLayout(other))
		next := s.NextSegment(noon, l.Grid)
		require.Equal(t, k+130, next)
		for p := range 16 {
			appendPart(s.Store, other, next+2, p, partBytes)
			synctest.Wait()
		}
		s.stop()
	})
	s := openRAM(t, v, Config{})
	for _, r := range layoutOf(t, "-second").Renditions {
		_, ok := s.Edge().Init(r.ID, r.InitName)
		require.Equal(t, r.ID != "v720", ok, r.ID)
	}
	for _, r := range l.Renditions {
		_, ok := s.Edge().Init(r.ID, r.InitName)
		require.True(t, ok, r.ID)
		require.Equal(t, wanted(r, k, 16, partBytes), bytesOf(t, s.Edge(), r.ID, k))
	}
	require.Equal(t, k+129, s.Edge().Listing("v720").Last())
	require.Equal(t, k+132, s.Edge().Listing("v240").Last())
	require.True(t, s.Edge().Listing("v240").Segment(k+131).Gap())
}

func TestBitRotCostsOneSegment(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	sealed := func() (*ram, *ramFile) {
		v := written(t, l, k, 4, 0)
		openRAM(t, v, Config{})
		names, _ := v.Names()
		return v, v.files[names[0]]
	}
	v, f := sealed()
	payload := bytes.Index(f.data, fmt.Appendf(nil, "v720 %d.7 ", k+1))
	require.Positive(t, payload)
	size := int64(len(f.data))
	for _, row := range []struct {
		name string
		flip []int64
	}{
		{"payload", []int64{int64(payload) + 20}},
		{"payload and index", []int64{int64(payload) + 20, size - trailerSize - 9}},
		{"record header and trailer", []int64{int64(payload) - 10, size - 3}},
		{"payload, trailer and block header", []int64{int64(payload), size - 3, 17}},
	} {
		t.Run(row.name, func(t *testing.T) {
			v, f = sealed()
			for _, at := range row.flip {
				f.data[at] ^= 0x10
			}
			s := openRAM(t, v, Config{})
			for _, r := range l.Renditions {
				for n := k; n < k+4; n++ {
					g, err := s.Edge().Find(r.ID, n)
					if err == nil {
						err = g.Check(0, len(g.Parts()))
					}
					if r.ID == "v720" && n == k+1 && (err != nil || len(g.Parts()) == 7) {
						continue // lost, or short where it was found by scanning
					}
					require.NoError(t, err)
					require.Equal(t, wanted(r, n, 16, partBytes), bytesOf(t, s.Edge(), r.ID, n))
				}
			}
		})
	}
}

func TestDamageFoundWhileReadingBecomesAGap(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	v := written(t, l, k, 3, 0)
	openRAM(t, v, Config{})
	names, _ := v.Names()
	f := v.files[names[0]]
	f.data[bytes.Index(f.data, fmt.Appendf(nil, "v720 %d.7 ", k+1))+30] ^= 1
	synctest.Test(t, func(t *testing.T) {
		s := run(t, openRAM(t, v, Config{}))
		g, err := s.Edge().Find("v720", k+1)
		require.NoError(t, err)
		require.NoError(t, g.Check(0, 7))
		before := s.Edge()
		require.ErrorIs(t, g.Check(0, 16), ErrLost)
		synctest.Wait()
		require.False(t, before.Listing("v720").Segment(k+1).Gap(), "snapshots stay")
		require.True(t, s.Edge().Listing("v720").Segment(k+1).Gap())
		require.False(t, s.Edge().Listing("v240").Segment(k+1).Gap())
	})
}

func TestExpiry(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	segment := int64(3 * 16 * (partBytes + recordSize))
	for _, row := range []struct {
		name        string
		config      Config
		least, most int64 // segments held at the end
	}{
		{"window", Config{Window: 100 * l.Grid.SegmentDuration()}, 100, 100 + 2*blockSegments + 1},
		{"bytes", Config{MaxBytes: 12 << 20}, (12<<20)/segment - 2*blockSegments, (12 << 20) / segment},
		{"neither", Config{}, 700, 700},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := newRAM()
			synctest.Test(t, func(t *testing.T) {
				s := run(t, openRAM(t, v, row.config))
				require.NoError(t, s.SetLayout(l))
				for n := k; n < k+700; n++ {
					for p := range 16 {
						appendPart(s.Store, l, n, p, partBytes)
					}
					synctest.Wait()
				}
				s.stop()
				held := k + 700 - s.Edge().Listing("v720").First()
				require.GreaterOrEqual(t, held, row.least)
				require.LessOrEqual(t, held, row.most)
				if held < 700 {
					_, err := s.Edge().Find("v720", k)
					require.ErrorIs(t, err, ErrExpired)
				}
				_, err := s.Edge().Find("v720", k-1)
				require.ErrorIs(t, err, ErrNever)
			})
			s := openRAM(t, v, row.config)
			held := k + 700 - s.Edge().Listing("v720").First()
			require.GreaterOrEqual(t, held, row.least)
			require.LessOrEqual(t, held, row.most)
			for n := s.Edge().Listing("v720").First(); n < k+700; n++ {
				require.Equal(t, wanted(l.Renditions[0], n, 16, partBytes), bytesOf(t, s.Edge(), "v720", n))
			}
			if held < 700 {
				_, err := s.Edge().Find("v720", k)
				require.ErrorIs(t, err, ErrExpired)
			}
		})
	}
}

func TestFolderOnDisk(t *testing.T) {
	l := layoutOf(t, "")
	config := Config{Dirs: []string{filepath.Join(t.TempDir(), "main")}, Channel: "main", Window: time.Hour}
	s, err := Open(config)
	require.NoError(t, err)
	_, err = Open(config)
	require.ErrorIs(t, err, ErrBusy)
	r := run(t, s)
	require.NoError(t, s.SetLayout(l))
	k := s.NextSegment(noon, l.Grid)
	for n := k; n < k+70; n++ {
		for p := range 16 {
			appendPart(s, l, n, p, partBytes)
		}
	}
	await(t, s, l, k+69, 15)
	before := listingText(s)
	want := wanted(l.Renditions[2], k+5, 16, partBytes)
	require.Equal(t, want, bytesOf(t, s.Edge(), "audio", k+5))
	r.stop()

	s, err = Open(config)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.Equal(t, before, listingText(s))
	require.Equal(t, want, bytesOf(t, s.Edge(), "audio", k+5))
}
