package cmaf

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// fragment is the only one of a chunk.
func fragment(t testing.TB, c *Chunk) *mp4.Fragment {
	t.Helper()
	file := decode(t, c.Data)
	require.Len(t, file.Segments, 1)
	require.Len(t, file.Segments[0].Fragments, 1)
	return file.Segments[0].Fragments[0]
}

// C01, C02, C05, C07, C09, A07: decode times are the sums of all durations, for
// every rate at counts of today, and agree with the grid at each segment.
func TestChunksOfEveryRate(t *testing.T) {
	for _, text := range contractRates {
		g := gridOf(t, text)
		video, audio := rendition(t, g, videoTrack(t, "v")), rendition(t, g, audioTrack(t, "a"))
		for _, r := range []*Rendition{video, audio} {
			var chunks []*Chunk
			p := NewPackager([]*Rendition{r}, func(c *Chunk) { chunks = append(chunks, c) })
			k := g.SegmentAt(noon)
			for unit := r.FirstUnit(k, 0); unit < r.FirstUnit(k+3, 0); unit++ {
				p.Write(packet(r, unit))
			}
			require.Len(t, chunks, 48, text)
			expected, _ := r.Span(k)
			for i, c := range chunks {
				require.Equal(t, k+int64(i/16), c.Segment)
				require.Equal(t, i%16, c.Part)
				require.Equal(t, i%16 == 15, c.Last)
				require.Equal(t, expected, c.Start, text)
				require.Equal(t, media.TimeOfTicks(c.Start, int64(c.Timescale)), c.Time)
				checkChunkBoxes(t, r, c)
				expected += c.Duration
				if c.Last {
					next, _ := r.Span(c.Segment + 1)
					require.Equal(t, next, expected, text)
				}
			}
		}
	}
}

func checkChunkBoxes(t *testing.T, r *Rendition, c *Chunk) {
	t.Helper()
	f := fragment(t, c)
	require.Len(t, f.Moof.Trafs, 1)
	traf := f.Moof.Traf
	require.Len(t, traf.Truns, 1)
	require.True(t, traf.Tfhd.DefaultBaseIfMoof())
	require.True(t, traf.Tfhd.HasDefaultSampleDuration())
	require.True(t, traf.Tfhd.HasDefaultSampleFlags())
	require.EqualValues(t, r.UnitTicks(), traf.Tfhd.DefaultSampleDuration)
	require.EqualValues(t, 1, traf.Tfdt.Version)
	require.EqualValues(t, c.Start, traf.Tfdt.BaseMediaDecodeTime())
	require.EqualValues(t, 1, traf.Trun.Version)
	require.EqualValues(t, f.Moof.Size()+8, traf.Trun.DataOffset)
	require.Equal(t, c.Duration, int64(traf.Trun.SampleCount())*r.UnitTicks())
	checkReferenceTime(t, c)
	samples, err := f.GetFullSamples(nil)
	require.NoError(t, err)
	k, part := r.Locate(r.Unit(c.Time))
	require.Equal(t, []int64{c.Segment, int64(c.Part)}, []int64{k, int64(part)})
	for i, sample := range samples {
		want := packet(r, c.Start/r.UnitTicks()+int64(i))
		require.Equal(t, want.Data, sample.Data)
		require.Equal(t, want.Key, sample.IsSync())
	}
	require.Equal(t, samples[0].IsSync(), c.Independent)
	require.Equal(t, r.Track.Kind == media.Audio || c.Part%8 == 0, c.Independent)
}

// C09: media and wall clock of the first sample.
func checkReferenceTime(t *testing.T, c *Chunk) {
	t.Helper()
	for _, box := range decode(t, c.Data).Children {
		if prft, ok := box.(*mp4.PrftBox); ok {
			require.EqualValues(t, 1, prft.Version)
			require.EqualValues(t, c.Start, prft.MediaTime)
			// Written exactly, but the library reads the fraction through a float.
			require.InDelta(t, 0, prft.NTPTimestamp.Time().Sub(c.Time.UTC()).Nanoseconds(), 300)
			return
		}
	}
	require.Fail(t, "no prft")
}

// C03, H09, H40, A02: what is called independent begins with an IDR by its NAL
// type, and each segment does.
func TestIndependentChunksBeginWithIDR(t *testing.T) {
	g := gridOf(t, "30")
	renditions, chunks := recorded(t, g, g.SegmentAt(noon))
	independents := 0
	for _, c := range chunks {
		if c.Rendition != renditions[0].ID {
			require.Zero(t, c.KeyBytes)
			continue
		}
		samples, err := fragment(t, c).GetFullSamples(nil)
		require.NoError(t, err)
		require.Equal(t, c.Independent, avc.IsIDRSample(samples[0].Data))
		require.Equal(t, c.Part%8 == 0, c.Independent)
		if c.Independent {
			independents++
			require.Equal(t, samples[0].Data, c.Data[c.KeyBytes-len(samples[0].Data):c.KeyBytes], "KeyBytes ends with the IDR")
		}
	}
	require.Equal(t, 4, independents)
}

// C08 and the CMAF structural brands.
func TestChunkBrands(t *testing.T) {
	g := gridOf(t, "30")
	r := rendition(t, g, videoTrack(t, "v"))
	var chunks []*Chunk
	p := NewPackager([]*Rendition{r}, func(c *Chunk) { chunks = append(chunks, c) })
	k := g.SegmentAt(noon)
	first := r.FirstUnit(k, 0)
	for unit := first; unit < first+g.SegmentFrames+9; unit++ {
		sample := packet(r, unit)
		sample.Filler = unit >= first+14 && unit < first+18
		p.Write(sample)
	}
	p.Close()
	want := map[int]string{
		0: "msdh cmfs cmff cmfl", 1: "cmfl", 2: "cmfl slat", 3: "cmfl", 8: "cmff cmfl", 16: "msdh cmfs cmff cmfl", 17: "cmfl lmsg",
	}
	for i, c := range chunks {
		brands := decode(t, c.Data).Segments[0].Styp.CompatibleBrands()
		if text, ok := want[i]; ok {
			require.Equal(t, text, strings.Join(brands, " "), "chunk %d", i)
		}
		require.Equal(t, i == 2, c.Filler)
	}
	require.Len(t, chunks, 18)
	require.EqualValues(t, 3*r.UnitTicks(), chunks[17].Duration, "the held frames")
	require.True(t, chunks[17].Last)
}

// A row of packets that breaks never gives a wrong decode time; the segment
// ends early and the next one begins whole.
func TestBrokenRows(t *testing.T) {
	g := gridOf(t, "30")
	tests := []struct {
		name    string
		frames  func(n int64) []int64 // offsets written for offset n of 0..191, in place of n
		chunks  []string              // "segment.part:frames", relative to the first
		want    Counts
		lasting bool
	}{
		{"whole", func(n int64) []int64 { return []int64{n} }, full(0, 16, full(1, 16, nil)), Counts{Chunks: 32}, true},
		{"joined late", func(n int64) []int64 {
			if n < 1 {
				return nil
			}
			return []int64{n}
		}, full(1, 16, nil), Counts{Chunks: 16, Skipped: 95}, true},
		{"frames twice", func(n int64) []int64 { return []int64{n, n, n - 1} }, full(0, 16, full(1, 16, nil)),
			Counts{Chunks: 32, Refused: 2 * 192}, true},
		{"missing in a part", func(n int64) []int64 {
			if n == 8 || n == 9 {
				return nil
			}
			return []int64{n}
		}, append([]string{"0.0:6", "0.1:2"}, full(1, 16, nil)...), Counts{Chunks: 18, Gaps: 1, Missing: 2, Skipped: 86}, true},
		{"missing between parts", func(n int64) []int64 {
			if n == 6 {
				return nil
			}
			return []int64{n}
		}, append([]string{"0.0:6"}, full(1, 16, nil)...), Counts{Chunks: 17, Gaps: 1, Missing: 1, Skipped: 89}, false},
		{"missing up to a segment", func(n int64) []int64 {
			if n >= 50 && n < 96 {
				return nil
			}
			return []int64{n}
		}, append(append(full(0, 8, nil), "0.8:2"), full(1, 16, nil)...), Counts{Chunks: 25, Gaps: 1, Missing: 46}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := rendition(t, g, videoTrack(t, "v"))
			k := g.SegmentAt(noon)
			var got []string
			ends := map[int64]bool{}
			p := NewPackager([]*Rendition{r}, func(c *Chunk) {
				got = append(got, fmt.Sprintf("%d.%d:%d", c.Segment-k, c.Part, c.Duration/r.UnitTicks()))
				ends[c.Segment-k] = c.Last
				require.EqualValues(t, c.Start, fragment(t, c).Moof.Traf.Tfdt.BaseMediaDecodeTime())
				require.Equal(t, g.PartStart(c.Segment, c.Part), c.Start/r.UnitTicks())
			})
			faults := 0
			p.Faults = func(Fault) { faults++ }
			for n := range int64(192) {
				for _, m := range test.frames(n) {
					p.Write(packet(r, r.FirstUnit(k, 0)+m))
				}
			}
			require.Equal(t, test.chunks, got)
			require.Equal(t, test.want, p.Counts(r.ID))
			require.EqualValues(t, test.want.Gaps+test.want.Refused, faults)
			if _, written := ends[0]; written {
				require.Equal(t, test.lasting, ends[0])
			}
		})
	}
}

// full names the first n parts of a segment, then more.
func full(segment, n int, more []string) []string {
	var names []string
	for part := range n {
		names = append(names, fmt.Sprintf("%d.%d:6", segment, part))
	}
	return append(names, more...)
}

func TestPackagerWithstandsNonsense(t *testing.T) {
	g := gridOf(t, "30")
	r := rendition(t, g, videoTrack(t, "v"))
	p := NewPackager([]*Rendition{r}, func(*Chunk) {})
	other := packet(r, 0)
	other.Track = &media.Track{ID: "unknown"}
	p.Write(other)
	for _, pts := range []media.Time{-1, -1 << 60, 0, 1 << 62, noon, 5} {
		sample := packet(r, 0)
		sample.PTS = pts
		p.Write(sample)
		empty := *sample
		empty.Data = nil
		p.Write(&empty)
	}
	p.Close()
	p.Close()
	require.Equal(t, Counts{}, p.Counts("unknown"))
}

// A key frame inside a part is still said of that sample alone.
func TestKeyInsidePart(t *testing.T) {
	g := gridOf(t, "30")
	r := rendition(t, g, videoTrack(t, "v"))
	var chunks []*Chunk
	p := NewPackager([]*Rendition{r}, func(c *Chunk) { chunks = append(chunks, c) })
	first := r.FirstUnit(g.SegmentAt(noon), 0)
	for n := range int64(12) {
		sample := packet(r, first+n)
		sample.Key = n == 0 || n == 2 || n == 6
		p.Write(sample)
	}
	var sync []int
	for i, c := range chunks {
		samples, err := fragment(t, c).GetFullSamples(nil)
		require.NoError(t, err)
		for j, sample := range samples {
			if sample.IsSync() {
				sync = append(sync, 6*i+j)
			}
		}
	}
	require.Equal(t, []int{0, 2, 6}, sync)
	require.True(t, chunks[1].Independent, "an IDR that a viewer asked for")
}

func TestChunkBytesAreGolden(t *testing.T) {
	g := gridOf(t, "30")
	_, chunks := recorded(t, g, 559_642_500)
	var text strings.Builder
	for _, c := range chunks {
		if c.Part == 0 || c.Part == 1 {
			head := len(c.Data) - int(fragment(t, c).Mdat.Size()) + 8
			fmt.Fprintf(&text, "%s %d.%d, %d bytes\n%s", c.Rendition, c.Segment, c.Part, len(c.Data), hex.Dump(c.Data[:head]))
		}
	}
	golden(t, "chunks.hex", []byte(text.String()))
}

// A part costs its bytes and its description, whatever it holds.
func TestOneChunkAllocatesLittle(t *testing.T) {
	g := gridOf(t, "60")
	r := rendition(t, g, videoTrack(t, "v"))
	p := NewPackager([]*Rendition{r}, func(*Chunk) {})
	unit := r.FirstUnit(g.SegmentAt(noon), 0)
	var packets []*media.Packet
	for i := range int64(12 * 600) {
		packets = append(packets, packet(r, unit+i))
	}
	allocs := testing.AllocsPerRun(500, func() {
		for _, sample := range packets[:12] {
			p.Write(sample)
		}
		packets = packets[12:]
	})
	require.LessOrEqual(t, allocs, 3.0, "bytes, description, writer")
}

func BenchmarkPackage(b *testing.B) {
	g := gridOf(b, "60")
	r := rendition(b, g, videoTrack(b, "v"))
	p := NewPackager([]*Rendition{r}, func(*Chunk) {})
	sample := packet(r, 0)
	sample.Data = make([]byte, 12_000) // 5.8 Mb/s
	unit := r.FirstUnit(g.SegmentAt(noon), 0)
	b.ReportAllocs()
	b.SetBytes(int64(len(sample.Data)))
	start := time.Now()
	for i := range int64(b.N) {
		next := *sample
		next.PTS = r.Time((unit + i) * r.UnitTicks())
		next.Key = (unit+i)%g.GOPFrames() == 0
		p.Write(&next)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "frames/s")
}
