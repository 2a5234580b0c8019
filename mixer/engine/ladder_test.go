package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

func TestAMixerThatStartsLateCatchesUpWithRepeats(t *testing.T) {
	s := inStudioFrom(t, testShow("30"), -100, func(t *testing.T, s *studio) {
		s.until(s.first + 130)
		require.Equal(t, uint64(100-mostBehind-1), s.reports[len(s.reports)-1].Repeated)
		require.NotZero(t, s.reports[len(s.reports)-1].Late)
	})
	for _, picture := range s.watch(t, 0) { // which also wants every number once
		number, ok := pattern.ReadCounter(picture.picture.Sub(quadrants[0]))
		require.True(t, ok)
		want := picture.frame
		if want < s.first+100-mostBehind {
			want = s.first // the one picture that was made, again and again
		}
		require.Equal(t, uint32(want), number)
	}
	s.listen(t, 1) // every access unit too
	s.listen(t, 2)
}

func TestFillerIsWholeAndReadWithTheRenditionsTrack(t *testing.T) {
	device, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer device.Close()
	show := testShow("30")
	l, err := openLadder(device, Config{Show: show, GOPFrames: 48, Filler: true})
	require.NoError(t, err)
	defer l.close()
	require.Equal(t, 3, len(l.ready.Renditions))
	video := l.ready.Renditions[0]
	decoder, err := device.NewDecoder(video.Track)
	require.NoError(t, err)
	defer decoder.Close()
	shown := 0
	for i := range 4 {
		for j, data := range video.Filler[i%2] {
			pts := show.Canvas.Rate.At(int64(48*i + j))
			require.NoError(t, decoder.Decode(&media.Packet{Track: video.Track, PTS: pts, DTS: pts, Key: j == 0, Data: data}, func(f *gpu.Frame) {
				shown++
				f.Release()
			}))
		}
	}
	decoder.Drain(func(f *gpu.Frame) { shown++; f.Release() })
	require.Equal(t, 4*48, shown)
	require.Zero(t, decoder.Stats().Errors+decoder.Stats().Damaged)
	require.Zero(t, device.Outstanding())

	refused := show
	refused.Ladder = append(refused.Ladder[:1:1], refused.Ladder[0])
	refused.Ladder[1].Width = 321
	_, err = openLadder(device, Config{Show: refused, GOPFrames: 48})
	require.ErrorContains(t, err, `open rendition "v180"`)
	require.Zero(t, device.Outstanding())
}
