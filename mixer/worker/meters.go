package worker

import (
	"slices"

	"millrace/internal/media"
)

// Watch says what the server wants to see of the worker beside the program. What
// is not watched is neither measured nor made.
type Watch struct {
	Meters    bool `json:"meters,omitempty"`
	Multiview bool `json:"multiview,omitempty"`
}

// Meters is what the worker measured since the last one: 20 times a second
// while it is watched.
type Meters struct {
	Frame   int64            `json:"frame"`   // the newest tick in it
	Program Level            `json:"program"` // behind the limiter
	Sources map[string]Level `json:"sources"` // behind gain and pan, in front of mute and mode
}

// Level is one bus or source: decibels to a tenth, -120 is silence. Peak, RMS
// and TruePeak are since the last Meters, the loudness by EBU R 128.
type Level struct {
	Peak       [2]float64 `json:"peak"`       // left and right, dBFS
	RMS        [2]float64 `json:"rms"`        // left and right, dBFS
	TruePeak   float64    `json:"truePeak"`   // dBTP
	Momentary  float64    `json:"momentary"`  // LUFS, 400 ms
	ShortTerm  float64    `json:"shortTerm"`  // LUFS, 3 s
	Integrated float64    `json:"integrated"` // LUFS, gated: of the program since its worker's start, of a source since it is watched
}

// onlooker is one who watches.
type onlooker struct {
	meters    func(Meters)
	multiview media.Sink
}

// Meters calls to with every Meters of the present worker and of those that
// follow, until cancel. It is called from the goroutine that reads the worker's
// messages: it must not block and not call back into the Host. After cancel
// returned, one call may still be under way.
func (h *Host) Meters(to func(Meters)) (cancel func()) {
	return h.admit(&onlooker{meters: to})
}

// Multiview writes the multiview's pictures to a sink, those of the present
// worker and of those that follow, until cancel; Ready has their track. What is
// said of Meters holds.
func (h *Host) Multiview(sink media.Sink) (cancel func()) {
	return h.admit(&onlooker{multiview: sink})
}

func (h *Host) admit(o *onlooker) (leave func()) {
	h.look(func(all []*onlooker) []*onlooker { return append(slices.Clip(all), o) })
	return func() {
		h.look(func(all []*onlooker) []*onlooker {
			return slices.DeleteFunc(slices.Clone(all), func(other *onlooker) bool { return other == o })
		})
	}
}

// look changes who watches, and tells the worker where that changes what it has
// to do.
func (h *Host) look(change func([]*onlooker) []*onlooker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.watch()
	h.onlookers = change(h.onlookers)
	if watch := h.watch(); watch != before && h.session != nil {
		// A full outbox ends the session anyway; the next one asks again.
		_ = h.session.outbox.control(&watch)
	}
}

// watch is what is watched now; mu is held.
func (h *Host) watch() (w Watch) {
	for _, o := range h.onlookers {
		w.Meters = w.Meters || o.meters != nil
		w.Multiview = w.Multiview || o.multiview != nil
	}
	return w
}

// watched tells a worker that has come on air what to show.
func (h *Host) watched(s *session) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if watch := h.watch(); watch != (Watch{}) {
		return s.outbox.control(&watch)
	}
	return nil
}

// seen hands a picture of the multiview to who watches.
func (h *Host) seen(p *media.Packet) {
	h.mu.Lock()
	onlookers := h.onlookers
	h.mu.Unlock()
	for _, o := range onlookers {
		if o.multiview != nil {
			o.multiview.Write(p)
		}
	}
}

// metered hands meters to who watches.
func (h *Host) metered(m Meters) {
	h.mu.Lock()
	onlookers := h.onlookers
	h.mu.Unlock()
	for _, o := range onlookers {
		if o.meters != nil {
			o.meters(m)
		}
	}
}
