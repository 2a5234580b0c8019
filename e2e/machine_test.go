package e2e

import (
	"fmt"
	"testing"
	"time"
)

// standstill is how long a machine may run nothing before real time is lost on
// it: half of what the node lets a worker be silent.
const standstill = 500 * time.Millisecond

// attempts bounds how often a scenario is played on a machine that stands still.
const attempts = 3

// inTime plays a scenario and holds it to its check, unless the machine stood
// still meanwhile, as a loaded virtual one does: then it is played again.
// Everything of one attempt ends with it.
func inTime(t *testing.T, scenario func(t *testing.T) (check func(t *testing.T))) {
	t.Helper()
	again := true
	for n := 1; again; n++ {
		t.Run(fmt.Sprintf("attempt %d", n), func(t *testing.T) {
			machine := watchMachine()
			check := scenario(t)
			stood := machine.stop()
			again = stood > standstill && n < attempts
			if again {
				t.Logf("the machine stood still for %v: once more", stood)
				return
			}
			check(t)
		})
		again = again && !t.Failed()
	}
}

// calmly takes a measurement and checks it, under the same condition.
func calmly(measure func() (check func())) {
	for n := 1; ; n++ {
		machine := watchMachine()
		check := measure()
		if machine.stop() <= standstill || n == attempts {
			check()
			return
		}
	}
}

// machineWatch notices when nothing runs that wants to.
type machineWatch struct {
	quit chan struct{}
	most chan time.Duration
}

func watchMachine() *machineWatch {
	w := &machineWatch{quit: make(chan struct{}), most: make(chan time.Duration, 1)}
	go w.run()
	return w
}

func (w *machineWatch) run() {
	const every = 10 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var most time.Duration
	for last := time.Now(); ; {
		select {
		case <-ticker.C:
		case <-w.quit:
			w.most <- most
			return
		}
		now := time.Now()
		most = max(most, now.Sub(last)-every)
		last = now
	}
}

// stop gives the longest time that the machine stood still.
func (w *machineWatch) stop() time.Duration {
	close(w.quit)
	return <-w.most
}
