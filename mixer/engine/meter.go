package engine

import (
	"sync"
	"time"

	"millrace/mixer/worker"
)

// meter collects how long one part of the ticks takes. Safe for concurrent use.
type meter struct {
	mu    sync.Mutex
	sum   time.Duration
	most  time.Duration
	count int
}

func (m *meter) add(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sum += d
	m.most = max(m.most, d)
	m.count++
}

// lap measures from begin until now and gives now.
func (m *meter) lap(begin time.Time) time.Time {
	now := time.Now()
	m.add(now.Sub(begin))
	return now
}

// take gives what was collected and starts anew.
func (m *meter) take() (phase worker.Phase) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count > 0 {
		phase = worker.Phase{Mean: m.sum / time.Duration(m.count), Max: m.most}
	}
	m.sum, m.most, m.count = 0, 0, 0
	return phase
}
