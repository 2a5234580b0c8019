package record

import (
	"bytes"
	"hash/crc32"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzLoadBlock(f *testing.F) {
	header := blockHeader{ID: 77, First: 5, Born: 2}
	f.Add(header.marshal())
	f.Add(sampleBlock(f, false))
	f.Add(sampleBlock(f, true))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := newRAM()
		name := blockName(5, 0)
		v.files[name] = &ramFile{volume: v, data: data}
		s, err := open(Config{}.withDefaults(), disksOf(v))
		require.NoError(t, err)
		for _, l := range s.Edge().Listings() {
			for _, g := range l.Range(0, 1<<40) {
				if g.Check(0, len(g.Parts())) == nil {
					var out bytes.Buffer
					require.NoError(t, g.WriteParts(&out, 0, len(g.Parts())))
				}
			}
		}
		again, err := open(Config{}.withDefaults(), disksOf(v))
		require.NoError(t, err)
		for i, l := range s.Edge().Listings() {
			same := again.Edge().Listings()[i]
			require.Equal(t, l.First(), same.First())
			require.Equal(t, l.Last(), same.Last())
		}
	})
}

// sampleBlock is a small block, sealed or not.
func sampleBlock(t testing.TB, sealed bool) []byte {
	l := layoutOf(t, "")
	payload, err := l.marshal()
	require.NoError(t, err)
	v := newRAM()
	s := openRAM(t, v, Config{})
	w := newWriter(s, s.resume)
	held := &held{layout: &l, segment: 7}
	items := []*item{{layout: &l, gap: held}}
	for p := range 3 {
		items = append(items, &item{layout: &l, chunk: chunkOf(l.Renditions[0], 6, p, 20)})
	}
	require.NoError(t, w.store(items))
	if sealed {
		w.finished = append(w.finished, w.current)
		w.sealFinished()
	}
	names := slices.Collect(maps.Keys(v.files))
	require.Contains(t, string(v.files[names[0]].data), string(payload))
	return v.files[names[0]].data
}

// FuzzSealedBlock has right checksums around wrong contents.
func FuzzSealedBlock(f *testing.F) {
	l := layoutOf(f, "")
	layout, err := l.marshal()
	require.NoError(f, err)
	x := blockIndex{}
	x.addLayout(headerSize, &l)
	x.addRecord(headerSize+int64(len(layout))+recordSize, &recordHeader{Type: recordChunk, Segment: 7, Start: 9, Length: 4, Duration: 5})
	f.Add(layout, x.marshal())
	f.Add([]byte(`{"rate":"30","partFrames":6,"segmentFrames":96,"renditions":[{"id":"a","timescale":48000,"track":{"kind":"audio","sampleRate":48000}}]}`), x.marshal())
	f.Fuzz(func(t *testing.T, layout, index []byte) {
		v := newRAM()
		data := blockHeader{ID: 77, First: 5, Born: 2}.marshal()
		add := func(kind recordType, payload []byte) {
			h := recordHeader{ID: 77, Type: kind, Length: uint32(len(payload)), CRC: crc32.Checksum(payload, castagnoli)}
			data = append(h.append(data), payload...)
		}
		add(recordLayout, layout)
		at := int64(len(data))
		add(recordIndex, index)
		data = append(data, marshalTrailer(77, at)...)
		v.files[blockName(5, 0)] = &ramFile{volume: v, data: data}
		s, err := open(Config{}.withDefaults(), disksOf(v))
		require.NoError(t, err)
		for _, l := range s.Edge().Listings() {
			for _, g := range l.Range(0, 1<<40) {
				_ = g.Check(0, len(g.Parts()))
				for _, part := range g.Parts() {
					require.GreaterOrEqual(t, g.Rendition.Time(part.Start+part.Duration), g.Rendition.Time(part.Start))
				}
				start, duration := g.Rendition.Span(g.Number)
				require.GreaterOrEqual(t, start+duration, start)
			}
		}
	})
}
