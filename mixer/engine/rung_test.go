package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
)

// slowEncoder takes a while per frame, or fails.
type slowEncoder struct {
	delay    func(frame int64) time.Duration
	fail     int64
	pictures []*gpu.Frame // by call
	keys     []int64
}

var errBroken = errors.New("broken")

func (e *slowEncoder) Encode(f *gpu.Frame, frame int64, key bool) (gpu.AccessUnit, error) {
	if frame == e.fail {
		return gpu.AccessUnit{}, errBroken
	}
	e.pictures = append(e.pictures, f)
	if key {
		e.keys = append(e.keys, frame)
	}
	time.Sleep(e.delay(frame))
	return gpu.AccessUnit{Frame: frame, Key: key}, nil
}

func (e *slowEncoder) Name() string { return "slow" }

func (e *slowEncoder) Track() *media.Track { return &media.Track{} }
func (e *slowEncoder) Close()              {}

// ladderOf runs one rung for count ticks of 20 ms.
func ladderOf(t *testing.T, e *slowEncoder, count int64) (frames []int64, r *rung, err error) {
	synctest.Test(t, func(t *testing.T) {
		pool := gpu.NewPool(1 << 20)
		defer pool.Close()
		r = &rung{
			encoder: e, track: e.Track(), rate: media.Rate{Num: 50, Den: 1}, wake: make(chan struct{}, 1),
			emit:     func(_ int, p *media.Packet) { frames = append(frames, media.Rate{Num: 50, Den: 1}.Index(p.PTS)) },
			finished: func(int64) {}, now: func() media.Time { return 1 },
		}
		r.keys.rate, r.keys.gop = r.rate, 80
		done := make(chan error, 1)
		go func() { done <- r.run() }()
		for n := range count {
			time.Sleep(20 * time.Millisecond)
			frame, err := pool.Get(gpu.Size{Width: 2, Height: 2})
			require.NoError(t, err)
			r.put(frame, n)
			require.LessOrEqual(t, pool.Outstanding(), rungQueue+2)
		}
		r.close()
		err = <-done
		r.release()
		require.Zero(t, pool.Outstanding())
	})
	return frames, r, err
}

func numbers(count int64) (all []int64) {
	for n := range count {
		all = append(all, n)
	}
	return all
}

func TestRungKeepsUp(t *testing.T) {
	e := &slowEncoder{delay: func(int64) time.Duration { return 15 * time.Millisecond }, fail: -1}
	frames, r, err := ladderOf(t, e, 200)
	require.NoError(t, err)
	require.Equal(t, numbers(200), frames)
	require.Equal(t, []int64{0, 80, 160}, e.keys)
	require.Zero(t, r.repeated.Load())
}

func TestRungThatIsBehindRepeatsAndSkipsNoFrame(t *testing.T) {
	e := &slowEncoder{fail: -1, delay: func(frame int64) time.Duration {
		if frame > 50 && frame < 60 {
			return 100 * time.Millisecond
		}
		return 5 * time.Millisecond
	}}
	frames, r, err := ladderOf(t, e, 200)
	require.NoError(t, err)
	require.Equal(t, numbers(200), frames)
	require.Equal(t, []int64{0, 80, 160}, e.keys)
	require.NotZero(t, r.repeated.Load())
	repeats := uint64(0)
	for i := 1; i < len(e.pictures); i++ {
		if e.pictures[i] == e.pictures[i-1] {
			repeats++
		}
	}
	require.GreaterOrEqual(t, repeats, r.repeated.Load())
}

func TestRungTellsWhyItsEncoderFailed(t *testing.T) {
	_, _, err := ladderOf(t, &slowEncoder{delay: func(int64) time.Duration { return 0 }, fail: 7}, 20)
	require.ErrorIs(t, err, errBroken)
}

// TestLatencyOfARung: from the tick being due to the packet out; late when the
// next tick was due by then.
func TestLatencyOfARung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{rate: media.Rate{Num: 50, Den: 1}, config: Config{Clock: media.NewClock(noon, time.Now())}}
		first := e.rate.Index(noon)
		r := &rung{}
		for n, late := range []time.Duration{5 * time.Millisecond, 19 * time.Millisecond, 21 * time.Millisecond} {
			require.NoError(t, e.config.Clock.SleepUntil(t.Context(), e.rate.At(first+int64(n)).Add(late)))
			e.finished(r, first+int64(n))
		}
		got := r.out.Spread(e.config.Clock.Now())
		require.Equal(t, 21*time.Millisecond, got.Max)
		require.InEpsilon(t, 19*time.Millisecond, got.P50, 0.07)
		require.EqualValues(t, 1, e.state.lateness.total())
	})
}
