package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/mixer/worker"
)

func TestRequestedKeyFrames(t *testing.T) {
	const first = 48 * 1_000_000
	tests := []struct {
		name     string
		requests []int64 // before these frames are encoded, since first
		want     []int64 // IDRs, since first; scheduled ones are at 0, 48, 96, 144
	}{
		{"none", nil, []int64{0, 48, 96, 144}},
		{"the first frame of the next part", []int64{13}, []int64{0, 18, 48, 96, 144}},
		{"a part's first frame itself", []int64{18}, []int64{0, 18, 48, 96, 144}},
		{"right after a scheduled one", []int64{1}, []int64{0, 12, 48, 96, 144}},
		{"right before a scheduled one", []int64{37}, []int64{0, 48, 96, 144}},
		{"400 ms before it", []int64{36}, []int64{0, 36, 48, 96, 144}},
		{"many are one", []int64{13, 14, 15, 16, 17, 18}, []int64{0, 18, 48, 96, 144}},
		{"at most one a second", []int64{20, 30}, []int64{0, 24, 48, 96, 144}},
		{"the second one waits for its second", []int64{20, 30, 49}, []int64{0, 24, 48, 60, 96, 144}},
		{"a second after the last", []int64{36, 65}, []int64{0, 36, 48, 66, 96, 144}},
		{"the scheduled one is the answer", []int64{20, 47}, []int64{0, 24, 48, 96, 144}},
	}
	for _, test := range tests {
		k := &keyframes{rate: media.Rate{Num: 30, Den: 1}, gop: 48}
		var got []int64
		for frame := range int64(160) {
			for _, at := range test.requests {
				if at == frame {
					k.request()
				}
			}
			if k.at(first + frame) {
				got = append(got, frame)
			}
		}
		require.Equal(t, test.want, got, test.name)
	}
}

// However requests come, IDRs keep their distances, and every request is
// answered: within a second and 400 ms and a part at the latest.
func TestRequestedKeyFramesKeepTheirDistances(t *testing.T) {
	for _, text := range []string{"24000/1001", "25", "30", "60000/1001", "60"} {
		rate, err := media.ParseRate(text)
		require.NoError(t, err)
		gop := gopOf(rate)
		rnd := rand.New(rand.NewPCG(1, 1))
		first := rate.Index(noon) + 7 // in the middle of a part
		k := &keyframes{rate: rate, gop: gop}
		asked := media.Time(0)
		var requested, scheduled []int64
		for frame := first; frame < first+30*gop; frame++ {
			if rnd.IntN(10) == 0 {
				k.request()
				if asked == 0 {
					asked = rate.At(frame)
				}
			}
			due := frame == first || frame%gop == 0
			got := k.at(frame)
			switch {
			case due:
				require.True(t, got)
				scheduled = append(scheduled, frame)
			case got:
				require.Zero(t, frame%(gop/8), "a part begins")
				requested = append(requested, frame)
			}
			if got {
				asked = 0
			}
			if asked != 0 {
				require.Less(t, rate.At(frame).Sub(asked), 1650*time.Millisecond)
			}
		}
		require.Greater(t, len(requested), 15, text)
		for i, frame := range requested {
			if i > 0 {
				require.GreaterOrEqual(t, k.apart(requested[i-1], frame), time.Second, text)
			}
			for _, other := range scheduled {
				require.GreaterOrEqual(t, max(k.apart(frame, other), k.apart(other, frame)), 400*time.Millisecond, text)
			}
		}
	}
}

// TestKeyFrameOnRequest: what is asked for on air comes out of that rung alone
// and decodes.
func TestKeyFrameOnRequest(t *testing.T) {
	show := testShow("30")
	show.Ladder = append(show.Ladder, worker.Rung{ID: "v90", Width: 160, Height: 90, Bitrate: 200_000, Codec: media.H264})
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		s.until(s.first + 20)
		s.engine.RequestKey("v90")
		s.engine.RequestKey("no such rung")
		s.until(s.first + 60)
	})
	keys := func(rendition int) (frames []int64) {
		for _, p := range s.packets[rendition] {
			if p.Key {
				frames = append(frames, s.rate.Index(p.PTS)-s.first)
			}
		}
		return frames
	}
	require.Zero(t, (s.first+45)%48, "where the GOP ends")
	require.Equal(t, []int64{0, 45}, keys(0))
	require.Equal(t, []int64{0, 21, 45}, keys(1))
	s.decode(t, s.packets[1][21:]) // a viewer may begin there
}
