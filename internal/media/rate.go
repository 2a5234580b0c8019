package media

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is an exact frame rate of Num/Den frames a second, in lowest terms.
// Frame n of every channel at that rate is due n*Den/Num seconds after the
// Unix epoch, so two nodes agree on numbers without exchanging a word.
type Rate struct{ Num, Den int64 }

// ErrRate says that a text is not an exact frame rate between 1 and 240.
var ErrRate = errors.New("not a frame rate")

// ParseRate reads "30" or "30000/1001".
func ParseRate(s string) (Rate, error) {
	numText, denText, fraction := strings.Cut(s, "/")
	num, err := strconv.ParseInt(numText, 10, 32)
	if err != nil {
		return Rate{}, fmt.Errorf("%w: %q", ErrRate, s)
	}
	den := int64(1)
	if fraction {
		if den, err = strconv.ParseInt(denText, 10, 32); err != nil {
			return Rate{}, fmt.Errorf("%w: %q", ErrRate, s)
		}
	}
	if num <= 0 || den <= 0 || num < den || num > 240*den {
		return Rate{}, fmt.Errorf("%w: %q", ErrRate, s)
	}
	g := gcd(num, den)
	return Rate{num / g, den / g}, nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// String is the form that ParseRate reads.
func (r Rate) String() string {
	if r.Den == 1 {
		return strconv.FormatInt(r.Num, 10)
	}
	return fmt.Sprintf("%d/%d", r.Num, r.Den)
}

// MarshalText and UnmarshalText make Rate a JSON string.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRate(string(text))
	return err
}

// Integer reports whether a second holds a whole number of frames.
func (r Rate) Integer() bool { return r.Den == 1 }

// At is the instant at which frame n is due, rounded down to the nanosecond.
// It is computed from n, never accumulated.
func (r Rate) At(n int64) Time { return Time(mulDiv(n, r.Den*second, r.Num, 0)) }

// Index is the newest frame due at or before t: Index(At(n)) == n.
func (r Rate) Index(t Time) int64 {
	// At(n) <= t  <=>  floor(n*Den*s/Num) <= t  <=>  n*Den*s < (t+1)*Num
	d := r.Den * second
	return mulDiv(int64(t)+1, r.Num, d, d-1) - 1
}

// Samples is the first sample of tick n on a grid of hz samples a second that
// starts at the epoch; tick n covers [Samples(n), Samples(n+1)).
func (r Rate) Samples(n, hz int64) int64 { return mulDiv(n, r.Den*hz, r.Num, 0) }

// Timescale counts video time without rounding: one frame is Den units.
func (r Rate) Timescale() uint32 { return uint32(r.Num) }

// Interval is one frame's duration, rounded down to the nanosecond: for
// display and timeouts, never for sums.
func (r Rate) Interval() time.Duration { return time.Duration(r.Den * second / r.Num) }
