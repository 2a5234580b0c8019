package cmaf

import (
	"bytes"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

func TestMovie(t *testing.T) {
	grid := gridOf(t, "30")
	k := grid.SegmentAfter(noon)
	renditions, chunks := recorded(t, grid, k)
	byID := map[string]*Rendition{}
	for _, r := range renditions {
		byID[r.ID] = r
	}
	var m Movie
	var payload []byte
	want := map[string][][]byte{} // access units by rendition
	skipped := 0
	for _, c := range chunks {
		r := byID[c.Rendition]
		s, err := ReadSamples(c.Data)
		require.NoError(t, err)
		require.Equal(t, c.Start, s.Start)
		from, to := 0, len(s.Sizes)
		switch {
		case r.Track.Kind == media.Audio && c.Segment == k && c.Part == 0:
			from = 1 // sound begins late
		case r.Track.Kind == media.Audio && c.Part == 2:
			from = 1 // one is missing
			skipped++
		}
		require.NoError(t, m.Add(r, r.InitName, r.Init, s, from, to))
		at := s.Payload
		for i, size := range s.Sizes {
			unit := c.Data[at : at+int(size)]
			at += int(size)
			if i >= from {
				want[r.ID] = append(want[r.ID], unit)
				payload = append(payload, unit...)
			}
		}
		require.Equal(t, len(c.Data), at)
	}
	require.Positive(t, skipped)
	head, err := m.Head()
	require.NoError(t, err)
	whole := append(head, payload...)
	file, err := mp4.DecodeFile(bytes.NewReader(whole))
	require.NoError(t, err)
	require.Len(t, file.Moov.Traks, 2)
	require.Equal(t, uint64(len(payload)), file.Mdat.DataLength())
	for i, trak := range file.Moov.Traks {
		r := renditions[i]
		stbl := trak.Mdia.Minf.Stbl
		require.Equal(t, len(want[r.ID]), int(stbl.Stsz.SampleNumber))
		number := uint32(1)
		for chunk, offset := range stbl.Co64.ChunkOffset {
			in := stbl.Stsc.GetChunk(uint32(chunk + 1))
			require.Equal(t, number, in.StartSampleNr)
			for range in.NrSamples {
				size := stbl.Stsz.GetSampleSize(int(number))
				require.Equal(t, want[r.ID][number-1], whole[offset:offset+uint64(size)], "%s %d", r.ID, number)
				offset += uint64(size)
				number++
			}
		}
		last := uint32(len(want[r.ID]))
		at, duration := stbl.Stts.GetDecodeTime(last)
		require.Equal(t, trak.Mdia.Mdhd.Duration, at+uint64(duration))
		missing := uint64(0)
		if r.Track.Kind == media.Audio {
			missing = uint64(skipped)
			require.Equal(t, int64(-1), trak.Edts.Elst[0].Entries[0].MediaTime, "sound begins after the picture")
		} else {
			require.Equal(t, uint32(1), stbl.Stss.SampleNumber[0])
		}
		require.Equal(t, (uint64(last)+missing)*uint64(r.UnitTicks()), at+uint64(duration), "what is missing takes its time")
	}
}

func TestMovieRefusesWhatDoesNotFollow(t *testing.T) {
	grid := gridOf(t, "30")
	renditions, chunks := recorded(t, grid, grid.SegmentAfter(noon))
	var m Movie
	_, err := m.Head()
	require.ErrorIs(t, err, ErrNoSegments)
	s, err := ReadSamples(chunks[0].Data)
	require.NoError(t, err)
	require.NoError(t, m.Add(renditions[0], "a", renditions[0].Init, s, 0, 1))
	require.ErrorIs(t, m.Add(renditions[0], "a", renditions[0].Init, s, 0, 1), ErrChunk)
}

func FuzzReadSamples(f *testing.F) {
	grid := gridOf(f, "30")
	_, chunks := recorded(f, grid, grid.SegmentAfter(noon))
	for _, c := range chunks[:4] {
		f.Add(c.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadSamples(data)
		if err == nil {
			require.NotEmpty(t, s.Sizes)
			require.LessOrEqual(t, s.Payload, len(data))
		}
	})
}
