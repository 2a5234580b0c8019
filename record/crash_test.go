package record

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// crashRounds says how often a run is cut off at each of its steps; `make faults`
// sets it to 100.
const crashRounds = "MILLRACE_TEST_CRASHES"

// promise is what must be found after a crash: what was listed before it.
type promise struct {
	edge   *Edge
	oldest int64 // segments below it may have expired since
}

// kept opens what is left, and says what of the promise is not there.
func (p promise) kept(left []*ram) (parts int, err error) {
	after, err := open(Config{}.withDefaults(), disksOf(left...))
	if err != nil {
		return 0, err
	}
	for _, listing := range p.edge.Listings() {
		for _, g := range listing.Range(p.oldest, 1<<40) {
			if g.Gap() {
				continue
			}
			found, err := after.Edge().Find(listing.ID, g.Number)
			switch n := len(g.Parts()); {
			case err != nil:
				return parts, fmt.Errorf("segment %d of %s: %w", g.Number, listing.ID, err)
			case len(found.Parts()) < n || !slices.Equal(g.Parts(), found.Parts()[:n]):
				return parts, fmt.Errorf("segment %d of %s: %d parts were listed, %d are left", g.Number, listing.ID, n, len(found.Parts()))
			}
			if err := found.Check(0, len(found.Parts())); err != nil {
				return parts, fmt.Errorf("segment %d of %s: %w", g.Number, listing.ID, err)
			}
			parts += len(g.Parts())
		}
	}
	return parts, nil
}

// crasher cuts a run off at each of its steps and opens what is left.
type crasher struct {
	rnd      *rand.Rand
	volumes  []*ram
	promise  func() promise
	deep     int // every so many crashes recovery is cut off at each of its steps too
	crashes  int
	parts    int // that were promised, of all crashes
	inCrash  bool
	recovery int // crashes of recoveries
	broken   []string
}

func (c *crasher) step(operation string) {
	if c.inCrash {
		return
	}
	c.inCrash = true
	defer func() { c.inCrash = false }()
	p := c.promise()
	for name, crash := range map[string]func(*ram) *ram{
		"SIGKILL":   func(v *ram) *ram { return v.crash(-1) },
		"power cut": func(v *ram) *ram { return v.powerCut(c.rnd) },
	} {
		var left []*ram
		for _, v := range c.volumes {
			left = append(left, crash(v))
		}
		c.crashes++
		when := fmt.Sprintf("%s at %s", name, operation)
		if c.crashes%c.deep == 0 {
			c.recoveries(p, left, when)
		}
		c.judge(p, left, when)
	}
}

// recoveries cuts the recovery of what a crash has left off at each of its steps.
func (c *crasher) recoveries(p promise, left []*ram, when string) {
	var images, again []*ram
	for _, v := range left {
		again = append(again, v.crash(-1))
	}
	for i, v := range again {
		v.step = func(string) {
			for j, other := range again {
				if j == i {
					other = v
				}
				images = append(images, other.powerCut(c.rnd))
			}
		}
	}
	if _, err := open(Config{}.withDefaults(), disksOf(again...)); err != nil {
		c.broken = append(c.broken, when+": "+err.Error())
	}
	for n := 0; n < len(images); n += len(again) {
		c.recovery++
		c.judge(p, images[n:n+len(again)], when+", then a power cut in its recovery")
	}
}

// judge runs in the writer's goroutine, where a test cannot be ended.
func (c *crasher) judge(p promise, left []*ram, when string) {
	parts, err := p.kept(left)
	c.parts += parts
	if err != nil {
		c.broken = append(c.broken, when+": "+err.Error())
	}
}

// F27, F28: SIGKILL and power cuts between any two steps of a run: creating,
// writing, syncing, cutting and removing blocks. What was listed is there.
func TestCrashAtEveryStep(t *testing.T) {
	l := layoutOf(t, "")
	for round := range roundsOf(t, crashRounds, 1) {
		for _, volumes := range []int{1, 2} {
			t.Run(fmt.Sprintf("%d volumes, round %d", volumes, round), func(t *testing.T) {
				c := &crasher{rnd: rand.New(rand.NewPCG(uint64(round), uint64(volumes))), deep: 64}
				for range volumes {
					c.volumes = append(c.volumes, newRAM())
				}
				synctest.Test(t, func(t *testing.T) { crashRun(t, c, l) })
				require.Empty(t, c.broken[:min(len(c.broken), 3)])
				require.Greater(t, c.parts, 10*c.crashes)
				t.Logf("%d crashes, %d of recoveries, %d listed parts found again", c.crashes, c.recovery, c.parts)
			})
		}
	}
}

// crashRun writes with random groups over the end of a span and of a block, and
// lets the oldest go.
func crashRun(t *testing.T, c *crasher, l Layout) {
	const kept = 10
	s := run(t, openSpread(t, Config{Window: kept * l.Grid.SegmentDuration(), MaxBytes: 8 << 20}, c.volumes...))
	require.NoError(t, s.SetLayout(l))
	k := start(l) + blockSegments - 6
	now := k
	c.promise = func() promise {
		if state := s.State(); state.Degraded {
			return promise{edge: &Edge{}}
		}
		return promise{edge: s.Edge(), oldest: now - kept}
	}
	for ; now < k+2*blockSegments; now++ {
		quiet := now > k+6 && now < k+2*blockSegments-4 // where every step is like the one before
		for _, v := range c.volumes {
			v.mu.Lock()
			v.step = c.step
			if quiet {
				v.step = nil
			}
			v.mu.Unlock()
		}
		for p := range 16 {
			for _, r := range l.Renditions {
				s.Append(chunkOf(r, now, p, 20+c.rnd.IntN(partBytes)))
			}
			if !quiet {
				time.Sleep(time.Duration(c.rnd.IntN(200)) * time.Millisecond)
			}
		}
		synctest.Wait()
	}
}

// roundsOf is how often a test does its work, set by `make faults`.
func roundsOf(t *testing.T, setting string, usual int) int {
	t.Helper()
	text := os.Getenv(setting)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
