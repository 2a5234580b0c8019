package whep

import (
	"time"

	"millrace/internal/media"
)

const (
	replaySpan  = 10 * time.Second
	replayBytes = 8 << 20

	// A viewer that lost its picture gets a replay again, where that is not
	// more than its network may be able to carry beside the rest.
	replayAgain      = 3 * time.Second
	replayAgainBytes = 1 << 20
)

// replay is the packets of a picture since its last keyframe. A group of
// pictures that is too long is let go: who joins waits for the next.
type replay struct {
	packets []*media.Packet
	bytes   int
}

func (r *replay) clear() { *r = replay{} }

func (r *replay) keep(p *media.Packet) {
	if p.Key {
		r.clear()
	} else if len(r.packets) == 0 {
		return
	}
	r.packets = append(r.packets, p)
	if r.bytes += len(p.Data); r.bytes > replayBytes || p.DTS.Sub(r.packets[0].DTS) > replaySpan {
		r.clear()
	}
}

// frame is all of it as one frame. What is over has no time of its own: one
// tick of the RTP clock apart, decoders run through it and show the last
// picture only, at its time.
func (r *replay) frame(of *rung) *frame {
	newest := uint32(r.packets[len(r.packets)-1].PTS.Ticks(videoRate))
	all := &frame{rung: of.index, key: true}
	for i, p := range r.packets {
		f := of.frame(p)
		f.timestamp = newest - uint32(len(r.packets)-1-i)
		all.replay = append(all.replay, f)
	}
	return all
}

// rejoin begins a viewer with what there is; the program is locked.
func (v *viewer) rejoin(of *rung, r *replay) {
	v.rung, v.skip = of.index, true
	if len(r.packets) == 0 || v.video == nil {
		v.key.Store(true)
		return
	}
	select {
	case v.queue <- r.frame(of):
		v.skip = false
	default: // it is behind as it is
	}
}

// replayTo begins a viewer anew that asked for a keyframe; false: not now. The
// program is locked, and the goroutine its own.
func (p *Program) replayTo(v *viewer) bool {
	if p.now.Sub(v.replayed) < replayAgain || p.replay.bytes > replayAgainBytes {
		return false
	}
	v.replayed = p.now
	v.key.Store(false)
	v.rejoin(p.rungs[0], &p.replay)
	return true
}
