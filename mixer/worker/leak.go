package worker

import (
	"fmt"
	"time"
)

// leak watches what a worker holds. One that holds too much is replaced in order,
// between two GOPs, while it still works.
type leak struct {
	session *session
	looked  time.Time
	reason  string           // why it is replaced; empty while it is not
	over    <-chan time.Time // fires when the GOP is over; nil while reason is empty
}

// look compares once a second what the worker holds with what it may.
func (l *leak) look(now time.Time) {
	if l.reason != "" || now.Sub(l.looked) < time.Second || !l.session.onAir.Load() {
		return
	}
	l.looked = now
	if l.reason = l.session.tooMuch(); l.reason == "" {
		return
	}
	config := l.session.host.config
	gop := config.Rate.Index(config.Clock.Now())/config.GOPFrames + 1
	l.over = time.After(config.Clock.Until(config.Rate.At(gop * config.GOPFrames)))
}

// recycle asks the worker to finish; the watchdog ends one that does not.
func (l *leak) recycle() {
	s := l.session
	l.over = nil
	s.mu.Lock()
	s.recycled = true
	s.mu.Unlock()
	s.host.config.Log.Warn("a worker that leaks is replaced", "pid", s.process.Pid(), "reason", l.reason)
	if err := s.outbox.control(&Quit{}); err != nil {
		s.fail(fmt.Errorf("ask worker to quit: %w", err))
	}
}

// tooMuch says what the worker holds more of than it may.
func (s *session) tooMuch() string {
	config := s.host.config
	if held := s.host.Report().Outstanding; config.RecyclePictures > 0 && held > config.RecyclePictures {
		return fmt.Sprintf("it holds %d pictures, %d are plenty", held, config.RecyclePictures)
	}
	if config.RecycleMemory == 0 {
		return ""
	}
	if used, err := s.process.RSS(); err == nil && used > config.RecycleMemory {
		return fmt.Sprintf("it uses %d MiB of memory, %d are plenty", used>>20, config.RecycleMemory>>20)
	}
	return ""
}
