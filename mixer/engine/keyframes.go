package engine

import (
	"sync/atomic"
	"time"

	"millrace/internal/media"
)

// How far apart the IDRs of a rung stay.
const (
	betweenRequested = time.Second
	fromScheduled    = 400 * time.Millisecond
)

// partsPerGOP is how many parts there are from one scheduled IDR to the next.
const partsPerGOP = 8

// keyframes decides which frames of a rung are IDRs: the first, the first of
// each GOP, and where one is asked for, the first of a part. A request that
// comes too soon waits; the next scheduled IDR answers it too. The rung's
// goroutine owns it, but for request.
type keyframes struct {
	rate media.Rate
	gop  int64 // frames

	wanted    atomic.Bool
	begun     bool
	scheduled int64 // the newest, in frames
	requested int64 // the newest, in frames; none before the first
	any       bool  // there was a requested one
}

// request asks for an IDR. Safe for concurrent use.
func (k *keyframes) request() { k.wanted.Store(true) }

// at says whether a frame is an IDR; frames come in order, each once.
func (k *keyframes) at(frame int64) bool {
	if !k.begun || frame%k.gop == 0 {
		k.begun, k.scheduled = true, frame
		k.wanted.Store(false)
		return true
	}
	if frame%max(k.gop/partsPerGOP, 1) != 0 || !k.wanted.Load() {
		return false
	}
	next := (frame/k.gop + 1) * k.gop
	if k.apart(frame, next) < fromScheduled || k.apart(k.scheduled, frame) < fromScheduled ||
		k.any && k.apart(k.requested, frame) < betweenRequested {
		return false
	}
	k.wanted.Store(false)
	k.requested, k.any = frame, true
	return true
}

func (k *keyframes) apart(earlier, later int64) time.Duration {
	return k.rate.At(later).Sub(k.rate.At(earlier))
}
