package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
)

func TestWhatIsOnScreen(t *testing.T) {
	type step struct {
		put  []media.Time
		at   media.Time
		want media.Time // -1: nothing
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"nothing yet", []step{{nil, 100, -1}}},
		{"not due yet", []step{{[]media.Time{101}, 100, -1}, {nil, 101, 101}}},
		{"exactly due", []step{{[]media.Time{100}, 100, 100}}},
		{"the newest that is due", []step{{[]media.Time{10, 20, 30, 40}, 35, 30}}},
		{"held while nothing newer is due", []step{{[]media.Time{10, 90}, 20, 10}, {nil, 89, 10}, {nil, 90, 90}, {nil, 1000, 90}}},
		{"a burst of the past", []step{{[]media.Time{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 100, 12}}},
		{"time moved back", []step{{[]media.Time{50, 60, 70}, 55, 50}, {[]media.Time{40}, 56, 40}, {[]media.Time{60}, 61, 60}}},
		{"the same time again", []step{{[]media.Time{50}, 50, 50}, {[]media.Time{50}, 51, 50}}},
		{"a late tick still sees its own picture", []step{{[]media.Time{10, 20}, 5, -1}, {[]media.Time{30}, 10, 10}, {nil, 30, 30}}},
	}
	for _, test := range tests {
		pool := gpu.NewPool(1 << 20)
		q := newPictures(1)
		for _, step := range test.steps {
			for _, pts := range step.put {
				frame, err := pool.Get(gpu.Size{Width: 2, Height: 2})
				require.NoError(t, err)
				frame.PTS = pts
				q.put(picture{Frame: frame})
			}
			got := media.Time(-1)
			if frame := q.at(step.at); frame.Frame != nil {
				got = frame.PTS
				frame.Release()
			}
			require.Equal(t, step.want, got, test.name)
		}
		q.release()
		require.Zero(t, pool.Outstanding(), test.name)
		pool.Close()
	}
}

// A source whose pictures become due right at the ticks is shown evenly,
// whatever its jitter and drift: each picture for as many ticks as the next.
func TestPicturesAtTheEdgeOfATick(t *testing.T) {
	const tick = media.Time(40_000)
	for _, c := range []struct {
		name   string
		span   media.Time // from picture to picture
		phase  media.Time
		jitter media.Time // up to, both ways
		drift  media.Time // each picture
		uneven int        // steps that are not span/tick ticks long
		oldest media.Time // age at which a picture comes on screen
	}{
		{"on the edge", tick, 0, 1000, 0, 0, tick},
		{"on the edge, of half the rate", 2 * tick, 0, 1000, 0, 0, tick},
		{"on the edge, of twice the rate", tick / 2, 0, 1000, 0, 0, tick},
		{"a little before it", tick, 39_500, 1000, 0, 0, tick},
		{"in the middle", tick, 20_000, 15_000, 0, 0, tick},
		{"slowly over the edge, and on", tick, 1000, 1000, 20, 1, tick},
		{"fast over the edge, and on", tick, 39_000, 1000, -20, 1, tick},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := gpu.NewPool(1 << 20)
			defer pool.Close()
			rnd := rand.New(rand.NewPCG(3, 3))
			q := newPictures(time.Duration(tick))
			defer q.release()
			var due []media.Time
			for n := range media.Time(2000) {
				due = append(due, tick+n*(c.span+c.drift)+c.phase+media.Time(rnd.Int64N(int64(2*c.jitter)))-c.jitter)
			}
			number := func(pts media.Time) int { n, _ := slices.BinarySearch(due, pts); return n }
			put, uneven, held, last := 0, 0, 0, 0
			for at := 2 * tick; put < len(due)-2; at += tick {
				for ; put < len(due) && due[put] <= at+tick; put++ {
					frame, err := pool.Get(gpu.Size{Width: 2, Height: 2})
					require.NoError(t, err)
					frame.PTS = due[put]
					q.put(picture{Frame: frame})
				}
				frame := q.at(at)
				require.NotNil(t, frame.Frame)
				n := number(frame.PTS)
				frame.Release()
				require.GreaterOrEqual(t, n, last, "no picture comes twice")
				require.GreaterOrEqual(t, at.Sub(due[n]), -time.Duration(tick)/2)
				if held++; n == last {
					continue
				}
				require.LessOrEqual(t, at.Sub(due[n]), time.Duration(c.oldest))
				if last > 0 && media.Time(held)*tick != media.Time(n-last)*c.span {
					uneven++
				}
				last, held = n, 0
			}
			require.LessOrEqual(t, uneven, c.uneven)
		})
	}
}

func TestDecodedPicturesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := gpu.NewPool(1 << 20)
		defer pool.Close()
		q := newPictures(1)
		go func() {
			for pts := media.Time(1); pts <= 100; pts++ {
				if q.wait(t.Context()) != nil {
					return
				}
				frame, _ := pool.Get(gpu.Size{Width: 2, Height: 2})
				frame.PTS = pts
				q.put(picture{Frame: frame})
			}
		}()
		for tick := media.Time(0); tick <= 100; tick++ {
			synctest.Wait()
			require.LessOrEqual(t, pool.Outstanding(), picturesAhead+1)
			if frame := q.at(tick); frame.Frame != nil {
				require.Equal(t, tick, frame.PTS)
				frame.Release()
			}
		}
		q.release()
		require.Zero(t, pool.Outstanding())
	})
}
