package media

import (
	"math/bits"
	"time"
)

// Time is an instant on the channel timeline, in nanoseconds since the Unix
// epoch: UTC at the moment the node started, advanced by the monotonic clock.
// Source timestamps are mapped to it in ingest and exist nowhere else.
type Time int64

const second = int64(time.Second)

// farthest is as far from the epoch as arithmetic with frames holds: 146 years.
const farthest = time.Duration(1 << 62)

// TimeOf is the timeline instant that carries the same UTC reading as t, or the
// nearest that there is.
func TimeOf(t time.Time) Time {
	epoch := time.Unix(0, 0)
	return Time(min(max(t.Sub(epoch), -farthest), farthest)) // Sub gives the nearest, too
}

// UTC shows t as a calendar time.
func (t Time) UTC() time.Time { return time.Unix(0, int64(t)).UTC() }

// Add moves t by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub is the distance from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Ticks is t counted in units of 1/hz seconds, rounded to the nearest. It
// inverts TimeOfTicks exactly for every hz up to 1 GHz.
func (t Time) Ticks(hz int64) int64 {
	return mulDiv(int64(t), hz, second, second/2)
}

// TimeOfTicks is the instant of tick n of a grid with hz ticks a second that
// has tick 0 at the epoch, rounded down to the nanosecond.
func TimeOfTicks(n, hz int64) Time { return Time(mulDiv(n, second, hz, 0)) }

// mulDiv is floor((a*b + c) / d) with a 128-bit product, for b, d > 0 and
// 0 <= c < d. It panics when the quotient does not fit 64 bits.
func mulDiv(a, b, d, c int64) int64 {
	if a < 0 {
		// floor(-x/d) = -ceil(x/d); the ceiling is taken of |a|*b - c.
		hi, lo := bits.Mul64(uint64(-a), uint64(b))
		lo, borrow := bits.Sub64(lo, uint64(c), 0)
		if borrow > hi { // |a|*b < c: the sum is positive and below d
			return 0
		}
		hi -= borrow
		lo, carry := bits.Add64(lo, uint64(d-1), 0)
		q, _ := bits.Div64(hi+carry, lo, uint64(d))
		return -int64(q)
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c), 0)
	q, _ := bits.Div64(hi+carry, lo, uint64(d))
	return int64(q)
}
