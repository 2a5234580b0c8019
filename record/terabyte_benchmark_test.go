package record

import (
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkOpenTerabyte opens a folder with a terabyte of blocks, nearly three weeks
// of a channel of 6 Mb/s in two rungs and audio. The payloads are holes in the files.
func BenchmarkOpenTerabyte(b *testing.B) {
	l := layoutOf(b, "")
	const partBytes = 50_000 // of a rendition: 3 x 16 x 50 kB in 3.2 s is 6 Mb/s
	dir := b.TempDir()
	k, total := start(l), int64(0)
	for ; total < 1<<40; k += blockSegments {
		total += sparseBlock(b, dir, l, k-k%blockSegments, partBytes)
	}
	b.ReportMetric(float64(total)/float64(1<<40), "TiB")
	for b.Loop() {
		s, err := Open(Config{Dirs: []string{dir}})
		require.NoError(b, err)
		listing := s.Edge().Listing("audio")
		require.Greater(b, listing.Last()-listing.First(), int64(100_000))
		require.NoError(b, s.Close())
	}
}

// sparseBlock makes a sealed block of which all but the payloads is written, and
// gives its size.
func sparseBlock(b *testing.B, dir string, l Layout, first int64, partBytes int) int64 {
	b.Helper()
	file, err := os.Create(filepath.Join(dir, blockName(first, 0)))
	require.NoError(b, err)
	f := diskFile{file}
	const id = 77
	payload, err := l.marshal()
	require.NoError(b, err)
	layout := recordHeader{ID: id, Type: recordLayout, Length: uint32(len(payload)), CRC: crc32.Checksum(payload, castagnoli)}
	header := blockHeader{ID: id, First: first, Born: first}.marshal()
	require.NoError(b, f.WriteVector([][]byte{header, layout.append(nil), payload}, 0))
	x := &blockIndex{}
	x.addLayout(headerSize, &l)
	at := int64(headerSize + recordSize + len(payload))
	for n := first; n < first+blockSegments; n++ {
		for p := range 16 {
			for i, r := range l.Renditions {
				c := chunkOf(r, n, p, 0)
				x.addRecord(at, &recordHeader{
					Type: recordChunk, Rendition: uint16(i), Part: uint16(p), Segment: n, Start: c.Start, Duration: uint32(c.Duration),
					Length: uint32(partBytes), Flags: flagIndependent,
				})
				at += recordSize + int64(partBytes)
			}
		}
	}
	size, err := seal(f, id, x, at)
	require.NoError(b, err)
	require.NoError(b, f.Close())
	return size
}
