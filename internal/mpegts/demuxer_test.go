package mpegts

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// crafted writes transport packets of our own making.
type crafted struct {
	bytes    []byte
	counters map[uint16]uint8
}

func (c *crafted) packet(pid uint16, start bool, payload []byte) {
	if c.counters == nil {
		c.counters = map[uint16]uint8{}
	}
	p := []byte{syncByte, byte(pid >> 8), byte(pid), 0x30 | c.counters[pid]}
	c.counters[pid] = (c.counters[pid] + 1) & 0x0f
	if start {
		p[1] |= 0x40
	}
	stuffing := packetSize - len(p) - 1 - len(payload)
	p = append(p, byte(stuffing))
	for i := range stuffing {
		p = append(p, []byte{0, 0xff}[min(i, 1)])
	}
	c.bytes = append(append(c.bytes, p...), payload...)
}

func (c *crafted) table(pid uint16, id byte, number uint16, content []byte) {
	section := []byte{id, 0xb0, byte(9 + len(content)), byte(number >> 8), byte(number), 0xc1, 0, 0}
	section = append(section, content...)
	section = binary.BigEndian.AppendUint32(section, checksum(section))
	c.packet(pid, true, append([]byte{0}, section...))
}

func (c *crafted) tables(streams ...byte) {
	c.table(0, patTable, 1, []byte{0, 1, 0xe1, 0x00})
	c.table(0x100, pmtTable, 1, append([]byte{0xe1, 0x01, 0xf0, 0}, streams...))
}

// pes writes one PES packet in as many transport packets as it takes.
func (c *crafted) pes(pid uint16, pts int64, bounded bool, data []byte) {
	p := []byte{0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5,
		0x21 | byte(pts>>29)&0x0e, byte(pts >> 22), 1 | byte(pts>>14), byte(pts >> 7), 1 | byte(pts<<1)}
	p = append(p, data...)
	if bounded {
		binary.BigEndian.PutUint16(p[4:], uint16(len(p)-6))
	}
	for start := true; len(p) > 0; start = false {
		n := min(len(p), 183)
		c.packet(pid, start, p[:n])
		p = p[n:]
	}
}

const (
	videoPID = 0x101
	audioPID = 0x102
)

var (
	entryMPEG2 = []byte{0x02, 0xe1, 0x01, 0xf0, 0}
	entryMP2   = []byte{0x04, 0xe1, 0x02, 0xf0, 0}
	sequence   = []byte{0, 0, 1, 0xb3, 0x14, 0x00, 0xb4, 0x13, 0xff} // 320x180 at 25
)

// mp2 is a frame of 384 kb/s, 48 kHz, stereo: 1152 bytes, 24 ms.
func mp2(fill byte) []byte {
	p := make([]byte, 1152)
	for i := range p {
		p[i] = fill
	}
	copy(p, []byte{0xff, 0xfd, 0xe4, 0x00, 0x00})
	return p
}

func picture(size int) []byte { return append(append([]byte(nil), sequence...), make([]byte, size)...) }

func TestAudioComesWithoutWaitingForTheNext(t *testing.T) {
	var c crafted
	c.tables(entryMP2...)
	c.pes(audioPID, 90000, true, mp2(1))
	var list []access
	d := NewDemuxer(func(track *media.Track, pts, dts time.Duration, key bool, data []byte) {
		list = append(list, access{track, pts, dts, key, data})
	})
	d.Write(c.bytes)
	require.Len(t, list, 1, "a whole frame is given at once")
	require.Equal(t, time.Second, list[0].pts)
	require.Equal(t, "pid258", list[0].track.ID)
}

// Frames that lie across PES packets get the PTS of the packet in which they
// begin.
func TestFramesAcrossPackets(t *testing.T) {
	var c crafted
	c.tables(entryMP2...)
	three := append(append(mp2(1), mp2(2)...), mp2(3)...)
	c.pes(audioPID, 0, true, three[:500])
	c.pes(audioPID, 2160, true, three[500:1300])                 // the second begins here
	c.pes(audioPID, 4320, true, append(three[1300:], mp2(4)...)) // the third and the fourth
	list, stats := demux(c.bytes)
	require.Len(t, list, 4)
	for i, a := range list {
		require.Equal(t, time.Duration(i)*24*time.Millisecond, a.pts)
		require.Equal(t, byte(i+1), a.data[100])
	}
	require.Zero(t, stats.Damaged)
}

// Bytes that look like a header do not make a frame, or a track.
func TestFalseHeadersAreSkipped(t *testing.T) {
	var c crafted
	c.tables(entryMP2...)
	disguise := append([]byte{0xff, 0xfd, 0x14, 0x04}, make([]byte, 150)...)
	c.pes(audioPID, 0, true, append(disguise, mp2(1)...))
	c.pes(audioPID, 2160, true, mp2(2))
	list, _ := demux(c.bytes)
	require.Len(t, list, 2)
	require.Same(t, list[0].track, list[1].track)
	require.Equal(t, mp2(1), list[0].data)
}

func TestLostPacketsCostOneAccessUnit(t *testing.T) {
	cases := []struct {
		name string
		lose func(p []byte) []byte
		want []int // pictures by their size
		gaps uint64
	}{
		{"none", func(p []byte) []byte { return p }, []int{500, 600, 700}, 0},
		{"inside the second", func(p []byte) []byte { return append(p[:6*188:6*188], p[7*188:]...) }, []int{500, 700}, 1},
		{"the start of the second", func(p []byte) []byte { return append(p[:5*188:5*188], p[6*188:]...) }, []int{700}, 1},
		{"in error", func(p []byte) []byte { p[6*188+1] |= 0x80; return p }, []int{500, 700}, 1},
		{"no sync byte", func(p []byte) []byte { p[6*188] = 0; return p }, []int{500, 700}, 1},
		{"a byte vanished", func(p []byte) []byte { return append(p[:6*188+50:6*188+50], p[6*188+51:]...) }, []int{500, 700}, 1},
		{"a packet twice", func(p []byte) []byte { return append(append([]byte(nil), p[:7*188]...), p[6*188:]...) }, []int{500, 600, 700}, 0},
		{"garbage before", func(p []byte) []byte { return append([]byte{1, 0x47, 3, 0x47}, p...) }, []int{500, 600, 700}, 0},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			var c crafted
			c.tables(entryMPEG2...)
			for i, size := range []int{500, 600, 700} {
				c.pes(videoPID, int64(i)*3600, false, picture(size-len(sequence)))
			}
			list, stats := demux(test.lose(c.bytes))
			var got []int
			for _, a := range list {
				got = append(got, len(a.data))
			}
			require.Equal(t, test.want, got)
			require.Equal(t, test.gaps, stats.Gaps)
		})
	}
}

// However the bytes are cut, the same access units come out.
func TestPiecesDoNotMatter(t *testing.T) {
	stream := encode(t, "320x180", with(x264, "-c:a", "aac")...)
	stream = append([]byte{0x47, 0x47, 1, 2, 3}, stream...)
	want, wantStats := demux(stream)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		var list []access
		d := NewDemuxer(func(track *media.Track, pts, dts time.Duration, key bool, data []byte) {
			list = append(list, access{track, pts, dts, key, data})
		})
		most := 1 + rnd.IntN(1000)
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(most))
			d.Write(rest[:n])
			rest = rest[n:]
		}
		d.Flush()
		require.Equal(t, wantStats, d.Stats())
		require.Equal(t, want, list)
	}
}

func TestStreamsComeAndGo(t *testing.T) {
	var c crafted
	c.tables(entryMPEG2...)
	c.pes(videoPID, 0, true, picture(100))
	c.pes(audioPID, 0, true, mp2(1)) // not listed yet
	c.tables(append(append([]byte(nil), entryMPEG2...), entryMP2...)...)
	c.pes(audioPID, 2160, true, mp2(2))
	c.pes(videoPID, 3600, true, picture(101))
	c.tables(entryMP2...)
	c.pes(videoPID, 7200, true, picture(102)) // not listed any more
	c.pes(audioPID, 4320, true, mp2(3))
	list, _ := demux(c.bytes)
	require.Len(t, list, 4)
	require.Len(t, of(list, media.Video), 2)
	require.Same(t, list[0].track, list[2].track, "a table that changes does not disturb the streams it keeps")
}

func TestDamagedTablesAreIgnored(t *testing.T) {
	var c crafted
	c.tables(entryMP2...)
	c.bytes[packetSize-10] ^= 1 // the PAT
	c.tables(entryMP2...)
	c.bytes[4*packetSize-10] ^= 1 // the second PMT
	c.pes(audioPID, 0, true, mp2(1))
	list, stats := demux(c.bytes)
	require.Empty(t, list, "there was never a whole pair of tables")
	require.Equal(t, uint64(2), stats.Sections)
	c.tables(entryMP2...)
	c.pes(audioPID, 0, true, mp2(1))
	list, _ = demux(c.bytes)
	require.Len(t, list, 1)
}

// A sender that never ends its PES packets costs a bounded amount.
func TestMemoryIsBounded(t *testing.T) {
	var c crafted
	var entries []byte
	for pid := range byte(20) {
		entries = append(entries, 0x02, 0xe2, pid, 0xf0, 0)
	}
	c.tables(entries...)
	d := NewDemuxer(func(*media.Track, time.Duration, time.Duration, bool, []byte) { t.Fatal("nothing is whole") })
	d.Write(c.bytes)
	require.Len(t, d.streams, streamLimit)
	c.bytes = nil
	for pid := range uint16(20) {
		c.packet(0x200+pid, true, []byte{0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0})
	}
	for range 6000 {
		for pid := range uint16(20) {
			c.packet(0x200+pid, false, make([]byte, 183))
		}
		d.Write(c.bytes)
		c.bytes = c.bytes[:0]
		require.LessOrEqual(t, d.held, heldLimit)
	}
	require.NotZero(t, d.Stats().Damaged)
	held := 0
	for _, s := range d.streams {
		held += len(s.buffer)
	}
	require.Equal(t, held, d.held)
}

func TestUnwrap(t *testing.T) {
	for _, c := range []struct{ t, reference, want int64 }{
		{5, 0, 5}, {wrap - 5, 0, -5}, {5, wrap - 5, wrap + 5}, {wrap - 5, wrap + 5, wrap - 5},
		{0, 7*wrap + 100, 7 * wrap}, {wrap/2 - 1, 0, wrap/2 - 1}, {wrap/2 + 1, 0, 1 - wrap/2},
	} {
		require.Equal(t, c.want, unwrap(c.t, c.reference), "%+v", c)
	}
}

func FuzzDemuxer(f *testing.F) {
	var c crafted
	c.tables(append(append([]byte(nil), entryMPEG2...), entryMP2...)...)
	c.pes(videoPID, 0, false, picture(300))
	c.pes(audioPID, 0, true, mp2(1))
	f.Add(c.bytes)
	for _, kind := range []byte{0x0f, 0x11, 0x1b, 0x24, 0x81, 0x87, 0x06} {
		var c crafted
		c.tables(append([]byte{kind, 0xe1, 0x01, 0xf0, 10}, 5, 4, 'O', 'p', 'u', 's', 0x7f, 2, 0x80, 2)...)
		c.pes(videoPID, 0, true, []byte{0, 0, 1, 0x67, 0x64, 0, 0x0c, 0xac, 0, 0, 1, 0x68, 0xee, 0, 0, 1, 0x65, 0x88})
		c.pes(videoPID, 3600, true, []byte{0x7f, 0xe0, 3, 1, 2, 3})
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		d := NewDemuxer(func(track *media.Track, pts, dts time.Duration, _ bool, data []byte) {
			if track.ID == "" || track.Kind == 0 || track.Codec == "" || len(data) == 0 {
				t.Fatalf("%+v with %d bytes", track, len(data))
			}
		})
		d.Write(stream)
		d.Flush()
		if d.held != 0 && len(d.streams) == 0 {
			t.Fatal("bytes are counted that nobody holds")
		}
	})
}

// FuzzElementary reaches the codecs behind the transport.
func FuzzElementary(f *testing.F) {
	f.Add(byte(0x1b), []byte{0, 0, 1, 0x67, 0x64, 0, 0x0c, 0xac, 0, 0, 1, 0x68, 0xee, 0, 0, 1, 0x65, 0x88})
	f.Add(byte(0x0f), []byte{0xff, 0xf1, 0x4c, 0x80, 1, 0x1f, 0xfc, 1})
	f.Add(byte(0x81), []byte{0x0b, 0x77, 0, 0, 0x14, 0x40, 0x43, 0xe1})
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		var c crafted
		c.tables(kind, 0xe1, 0x01, 0xf0, 0)
		for i, at := 0, 0; at < len(data) && i < 8; i++ {
			n := min(len(data)-at, 1+(len(data)+1)/3)
			c.pes(videoPID, int64(i)*3600, i%2 == 0, data[at:at+n])
			at += n
		}
		d := NewDemuxer(func(track *media.Track, _, _ time.Duration, _ bool, data []byte) {
			if len(data) == 0 || track.Kind == media.Video && track.Width == 0 {
				t.Fatalf("%+v with %d bytes", track, len(data))
			}
		})
		d.Write(c.bytes)
		d.Flush()
	})
}

func BenchmarkDemuxer(b *testing.B) {
	var c crafted
	c.tables(append(append([]byte(nil), entryMPEG2...), entryMP2...)...)
	for i := range int64(100) {
		c.pes(videoPID, i*3600, false, picture(25_000))
		c.pes(audioPID, i*3600, true, mp2(1))
	}
	b.SetBytes(int64(len(c.bytes)))
	for b.Loop() {
		d := NewDemuxer(func(*media.Track, time.Duration, time.Duration, bool, []byte) {})
		for rest := c.bytes; len(rest) > 0; rest = rest[min(len(rest), 1316):] {
			d.Write(rest[:min(len(rest), 1316)])
		}
	}
}
