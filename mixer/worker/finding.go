package worker

import "time"

// FindingKind is what is wrong with pictures or sound that come all the same.
type FindingKind string

// What the worker looks for. What counts as each stands in package engine, for users in
// docs/findings.md.
const (
	FindingBlack  FindingKind = "black"  // the picture is dark all over
	FindingFrozen FindingKind = "frozen" // the picture does not change
	FindingSilent FindingKind = "silent" // the sound is too low to be heard
)

// How long each must last to be found: what is shorter is meant.
const (
	BlackAfter  = 2 * time.Second
	FrozenAfter = 5 * time.Second
	SilentAfter = 5 * time.Second
)

// Finding is sent when something is found, and again when it is over.
type Finding struct {
	Kind   FindingKind `json:"kind"`
	Source string      `json:"source,omitempty"` // empty: the program
	Begin  int64       `json:"begin"`            // the frame on which it was seen first
	End    int64       `json:"end,omitempty"`    // the frame on which it was seen to be over; 0 while it lasts
}

// findingKey says which findings are one after the other.
type findingKey struct {
	kind   FindingKind
	source string
}

// findings are those that last. The goroutine that reads a worker's messages owns
// them.
type findings map[findingKey]Finding

// found takes a finding from the worker.
func (h *Host) found(f Finding) {
	key := findingKey{f.Kind, f.Source}
	if f.End == 0 {
		h.findings[key] = f
	} else {
		delete(h.findings, key)
	}
	if h.config.OnFinding != nil {
		h.config.OnFinding(f)
	}
}

// lose ends what a worker found that is gone: filler stands in for it.
func (h *Host) lose() {
	end := h.config.Rate.Index(h.config.Clock.Now())
	for _, f := range h.findings {
		f.End = max(end, f.Begin+1)
		h.found(f)
	}
}
