package engine

import (
	"testing"
	"testing/synctest"

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
		q := newPictures()
		for _, step := range test.steps {
			for _, pts := range step.put {
				frame, err := pool.Get(gpu.Size{Width: 2, Height: 2})
				require.NoError(t, err)
				frame.PTS = pts
				q.put(frame)
			}
			got := media.Time(-1)
			if frame := q.at(step.at); frame != nil {
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

func TestDecodedPicturesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := gpu.NewPool(1 << 20)
		defer pool.Close()
		q := newPictures()
		go func() {
			for pts := media.Time(1); pts <= 100; pts++ {
				if q.wait(t.Context()) != nil {
					return
				}
				frame, _ := pool.Get(gpu.Size{Width: 2, Height: 2})
				frame.PTS = pts
				q.put(frame)
			}
		}()
		for tick := media.Time(0); tick <= 100; tick++ {
			synctest.Wait()
			require.LessOrEqual(t, pool.Outstanding(), picturesAhead+1)
			if frame := q.at(tick); frame != nil {
				require.Equal(t, tick, frame.PTS)
				frame.Release()
			}
		}
		q.release()
		require.Zero(t, pool.Outstanding())
	})
}
