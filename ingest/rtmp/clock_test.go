package rtmp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// R02: serial arithmetic, also where audio and video take turns at the wrap.
func TestR02Unwrap(t *testing.T) {
	for name, c := range map[string]struct {
		in   []uint32
		want []int64
	}{
		"from zero":          {[]uint32{0, 40, 80}, []int64{0, 40, 80}},
		"wraps":              {[]uint32{0xFFFFF000, 0xFFFFFFFF, 0, 0x1000}, []int64{0xFFFFF000, 0xFFFFFFFF, 1 << 32, 1<<32 + 0x1000}},
		"takes turns":        {[]uint32{0xFFFFFFF0, 3, 0xFFFFFFFA, 9}, []int64{0xFFFFFFF0, 1<<32 + 3, 0xFFFFFFFA, 1<<32 + 9}},
		"goes back":          {[]uint32{1000, 984}, []int64{1000, 984}},
		"back before zero":   {[]uint32{10, 0xFFFFFFFA}, []int64{10, -6}},
		"header at zero":     {[]uint32{0, 0xFFFFF000, 0x10}, []int64{0, -0x1000, 0x10}},
		"wraps twice in all": {[]uint32{0, 1 << 30, 1 << 31, 3 << 30, 0, 1 << 30, 1 << 31, 3 << 30, 0}, []int64{0, 1 << 30, 1 << 31, 3 << 30, 1 << 32, 5 << 30, 6 << 30, 7 << 30, 1 << 33}},
	} {
		t.Run(name, func(t *testing.T) {
			var u unwrapper
			for i, timestamp := range c.in {
				require.Equal(t, time.Duration(c.want[i])*time.Millisecond, u.unwrap(timestamp), "timestamp %d", i)
			}
		})
	}
}

func TestPacer(t *testing.T) {
	const frame = 40 * time.Millisecond
	for name, c := range map[string]struct {
		speed    float64 // media time a second
		from, to float64 // what it is read at after the burst
	}{
		"real time":       {1, 1, 1},
		"a fast crystal":  {1.05, 1.05, 1.05},
		"hundred times":   {100, 1.09, 1.11},
		"slow, then late": {0.9, 0.9, 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			var p pacer
			start := time.Unix(1000, 0)
			now, dts := start, time.Duration(0)
			var reached time.Time
			for dts < 600*time.Second {
				now = now.Add(time.Duration(float64(frame) / c.speed))
				now = now.Add(p.pause(dts, now))
				if dts += frame; dts == 300*time.Second {
					reached = now
				}
			}
			speed := 300 / now.Sub(reached).Seconds()
			require.GreaterOrEqual(t, speed, c.from-0.005)
			require.LessOrEqual(t, speed, c.to+0.005)
		})
	}
	t.Run("a backlog of 8 s comes as fast as it can", func(t *testing.T) {
		var p pacer
		now := time.Unix(1000, 0)
		require.Zero(t, p.pause(0, now))
		now = now.Add(8 * time.Second)
		for dts := frame; dts <= 8*time.Second; dts += frame {
			require.Zero(t, p.pause(dts, now))
		}
	})
	t.Run("a leap of the source's clock is no media", func(t *testing.T) {
		var p pacer
		now := time.Unix(1000, 0)
		require.Zero(t, p.pause(0, now))
		require.Zero(t, p.pause(time.Hour, now))
		require.Zero(t, p.pause(time.Hour+frame, now))
	})
}
