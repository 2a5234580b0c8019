package appliance

import (
	"sync"

	"millrace/mixer/worker"
)

// movement is the transition that was under way on a channel when its worker
// was heard of last.
type movement struct {
	mu     sync.Mutex
	frame  int64
	moving *worker.Progress // immutable; nil at rest
}

// progress is the transition under way; nil at rest.
func (m *movement) progress() *worker.Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.moving
}

// heard takes what a worker said of a frame, unless newer is known. It reports
// whether other scenes are on air now.
func (m *movement) heard(frame int64, moving *worker.Progress) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if frame < m.frame {
		return false
	}
	changed = (moving == nil) != (m.moving == nil) ||
		moving != nil && (moving.From != m.moving.From || moving.To != m.moving.To)
	m.frame, m.moving = frame, moving
	return changed
}

// reported hears of a worker's report. It does not wait.
func (c *channels) reported(p *program, r worker.Report) {
	if !p.movement.heard(r.Frame, r.Transition) {
		return
	}
	select {
	case c.airMoved <- p:
	default: // it is told with the next change; the state is right at once
	}
}
