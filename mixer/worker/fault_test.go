package worker

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cards is a machine whose cards fail one after the other.
type cards struct {
	mu     sync.Mutex
	left   []string
	faults []Fault
}

func (c *cards) place() Place {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Place{Device: c.left[0]}
}

func (c *cards) failed(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, f)
	c.left = c.left[1:]
}

// A worker that loses its card is replaced by one elsewhere, on the same timeline.
func TestCardsThatFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ manner, cause string }{
		{"loses its card", FaultLost}, {"goes silent on a card", FaultSilent}, {"needs the CPU", FaultRefused}, {"dies on a card", FaultCrashed},
	} {
		t.Run(test.manner, func(t *testing.T) { // one after the other: other tests here watch a clock
			machine := &cards{left: []string{"cuda:0", "cuda:1", CPU}}
			c := startChannel(t, test.manner, func(config *Config) {
				shortWatch(config)
				config.Place, config.OnFault = machine.place, machine.failed
			})
			c.onAirOn(t, CPU)
			c.frames(t, 30)
			c.stop()
			require.Len(t, machine.faults, 2)
			for i, fault := range machine.faults {
				require.Equal(t, test.cause, fault.Cause)
				require.Equal(t, []string{"cuda:0", "cuda:1"}[i], fault.Device)
				require.NotEmpty(t, fault.Error)
			}
		})
	}
}

// One death without a word is no fault of the device.
func TestOneCrashLeavesTheCard(t *testing.T) {
	t.Parallel()
	machine := &cards{left: []string{"cuda:0", CPU}}
	c := startChannel(t, "works", func(config *Config) { config.Place, config.OnFault = machine.place, machine.failed })
	pid := c.onAir(t, 0)
	c.host.present().process.Kill()
	c.onAir(t, pid)
	require.Equal(t, "cuda:0", c.host.present().place.Device)
	c.stop()
	require.Empty(t, machine.faults)
}

// Deaths without a word are a device's fault when they come on that one, soon after each
// other.
func TestWhoseFaultADeathIs(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name   string
		before crash
		cause  string
	}{
		{"the first", crash{}, ""},
		{"again, at once", crash{Place{Device: "cuda:0"}, now.Add(-time.Second)}, FaultCrashed},
		{"again, but on another", crash{Place{Device: "cuda:1"}, now.Add(-time.Second)}, ""},
		{"again, long after", crash{Place{Device: "cuda:0"}, now.Add(-2 * crashWindow)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &session{host: &Host{crash: test.before}, place: Place{Device: "cuda:0"}}
			fault := s.judge(nil)
			if test.cause == "" {
				require.Nil(t, fault)
			} else {
				require.Equal(t, test.cause, fault.Cause)
				require.Equal(t, "cuda:0", fault.Device)
			}
			require.Equal(t, "cuda:0", s.host.crash.place.Device)
		})
	}
	s := &session{host: &Host{crash: crash{Place{Device: CPU}, now}}, place: Place{Device: CPU}}
	require.Nil(t, s.judge(nil), "the CPU has nowhere else to go")
}

// A worker that leaks is replaced, without a fault and on the
// same device.
func TestWorkerThatLeaks(t *testing.T) {
	t.Parallel()
	machine := &cards{left: []string{"cuda:0", CPU}}
	c := startChannel(t, "leaks", func(config *Config) {
		config.Place, config.OnFault, config.RecyclePictures = machine.place, machine.failed, 20
	})
	c.onAir(t, c.onAir(t, 0))
	require.Positive(t, c.host.Restarts())
	c.frames(t, 30)
	c.stop()
	require.Empty(t, machine.faults)
}

// onAirOn waits until a worker on that device carries the program.
func (c *channel) onAirOn(t *testing.T, device string) {
	t.Helper()
	limit := time.Now().Add(time.Minute)
	for {
		if s := c.host.present(); s != nil && s.onAir.Load() && s.place.Device == device {
			return
		}
		require.True(t, time.Now().Before(limit), "no worker on %s", device)
		time.Sleep(10 * time.Millisecond)
	}
}
