// Package machinetest lets tests in real time tell what they measure from a
// machine that ran nothing for a while, as loaded virtual ones do.
package machinetest

import (
	"fmt"
	"testing"
	"time"
)

// attempts bounds how often a scenario is played on a machine that stands still.
const attempts = 3

// InTime plays a scenario and holds it to its check, unless the machine stood
// still for longer than limit meanwhile: then it is played again, and the last
// attempt counts whatever the machine did. Everything of one attempt ends with it.
func InTime(t *testing.T, limit time.Duration, scenario func(t *testing.T) (check func(t *testing.T))) {
	t.Helper()
	again := true
	for n := 1; again; n++ {
		t.Run(fmt.Sprintf("attempt %d", n), func(t *testing.T) {
			machine := begin()
			check := scenario(t)
			stood := machine.stop()
			again = stood > limit && n < attempts
			if again {
				t.Logf("the machine stood still for %v: once more", stood)
				return
			}
			check(t)
		})
		again = again && !t.Failed()
	}
}

// Calmly takes a measurement and checks it, under the same condition.
func Calmly(limit time.Duration, measure func() (check func())) {
	for n := 1; ; n++ {
		machine := begin()
		check := measure()
		if machine.stop() <= limit || n == attempts {
			check()
			return
		}
	}
}

// watch notices when nothing runs that wants to.
type watch struct {
	quit chan struct{}
	most chan time.Duration
}

func begin() *watch {
	w := &watch{quit: make(chan struct{}), most: make(chan time.Duration, 1)}
	go w.run()
	return w
}

func (w *watch) run() {
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
func (w *watch) stop() time.Duration {
	close(w.quit)
	return <-w.most
}
