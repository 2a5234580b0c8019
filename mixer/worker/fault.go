package worker

import (
	"errors"
	"time"
)

// errSilent is why the watchdog ends a worker.
var errSilent = errors.New("worker is silent")

// crashWindow is how soon after each other two workers must die without a word on
// one device for that device to be at fault: a single death is more often a
// codec's, or an operator's.
const crashWindow = time.Minute

// crash is the last death without a word.
type crash struct {
	place Place
	at    time.Time
}

// judge says what became of the worker's device; nil when it is not at fault. What
// happens on the CPU has nowhere else to go.
func (s *session) judge(err error) *Fault {
	if s.place.Device == CPU {
		return nil
	}
	s.mu.Lock()
	fault, recycled := s.fault, s.recycled
	s.mu.Unlock()
	switch {
	case fault != nil:
		return fault
	case recycled && err == nil:
		return nil
	case errors.Is(err, errSilent):
		return &Fault{Device: s.place.Device, Cause: FaultSilent, Error: err.Error()}
	}
	now, text := time.Now(), "the worker ended"
	if err != nil {
		text = err.Error()
	}
	h := s.host
	h.mu.Lock()
	last := h.crash
	h.crash = crash{s.place, now}
	h.mu.Unlock()
	if last.place == s.place && now.Sub(last.at) < crashWindow {
		return &Fault{Device: s.place.Device, Cause: FaultCrashed, Error: "workers died on it one after the other: " + text}
	}
	return nil
}

func (h *Host) faulted(fault Fault) {
	h.config.Log.Error("a device failed its worker", "device", fault.Device, "cause", fault.Cause, "err", fault.Error)
	if h.config.OnFault != nil {
		h.config.OnFault(fault)
	}
}
