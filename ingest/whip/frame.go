package whip

import (
	"errors"
	"time"

	"github.com/pion/rtp"

	"millrace/internal/media"
)

const (
	videoRate = 90000 // Hz
	videoID   = "video"
	audioID   = "audio"
	maxFrame  = 8 << 20 // bytes
)

var errMalformed = errors.New("malformed frame")

// format makes access units of the packets of one codec.
type format interface {
	// begins says whether a payload is the beginning of a frame.
	begins(payload []byte) bool
	// unit joins the payloads of a whole frame. track is nil where the frame
	// needs a description that has not come yet.
	unit(payloads [][]byte) (u unit, err error)
}

// unit is an access unit without its time.
type unit struct {
	track *media.Track
	key   bool
	data  []byte
}

// assembler makes frames of packets in order. After a loss nothing is whole
// until a keyframe is.
type assembler struct {
	format  format
	packets bool // each packet is a frame
	waits   bool // for a keyframe

	begun     bool // a frame has begun
	broken    bool // the frame that is being assembled lacks something
	timestamp uint32
	began     time.Time // when the first of it came
	payloads  [][]byte
	size      int
	counts    struct{ dropped, malformed uint64 }
}

// frame is one that may be decoded.
type frame struct {
	unit
	timestamp uint32
	began     time.Time
}

// put takes the next packet in order, when it came, and how many were lost before it. emit
// may be called twice: a frame whose end was not marked ends with the next.
func (a *assembler) put(p *rtp.Packet, came time.Time, lost int, emit func(frame)) {
	if lost > 0 {
		a.abandon()
	}
	if len(p.Payload) == 0 {
		return // padding, by which senders probe
	}
	if a.begun && p.Timestamp != a.timestamp {
		a.finish(emit)
	}
	if !a.begun {
		a.begun, a.timestamp, a.began = true, p.Timestamp, came
		a.broken = a.waits && !a.format.begins(p.Payload)
	}
	a.size += len(p.Payload)
	if a.size > maxFrame {
		a.broken = true
	}
	if !a.broken {
		a.payloads = append(a.payloads, p.Payload)
	}
	if p.Marker || a.packets {
		a.finish(emit)
	}
}

// abandon lets go of the frame in assembly: what follows refers to it.
func (a *assembler) abandon() {
	if a.begun {
		a.counts.dropped++
	}
	a.waits = true
	a.reset()
}

func (a *assembler) reset() {
	clear(a.payloads)
	a.begun, a.broken, a.payloads, a.size = false, false, a.payloads[:0], 0
}

func (a *assembler) finish(emit func(frame)) {
	defer a.reset()
	if a.broken {
		a.counts.dropped++
		a.waits = true
		return
	}
	u, err := a.format.unit(a.payloads)
	switch {
	case err != nil:
		a.counts.malformed++
		a.waits = true
		return
	case len(u.data) == 0:
		return // parameter sets on their own
	case u.track == nil, a.waits && !u.key:
		a.counts.dropped++
		a.waits = true
		return
	}
	a.waits = false
	emit(frame{u, a.timestamp, a.began})
}

// plausible guards against sizes that only damage can name.
func plausible(width, height int) bool {
	return width >= 16 && height >= 16 && width <= 16384 && height <= 16384
}
