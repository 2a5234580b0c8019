package ingest

import (
	"time"

	"millrace/internal/media"
)

// State is how a source is doing (contract §3).
type State string

// The states of a source.
const (
	Idle       State = "idle"       // nobody publishes, and nobody went missing
	Connecting State = "connecting" // a publisher is there, its first packet is not
	Live       State = "live"
	Degraded   State = "degraded" // one of picture and sound has stopped
	Lost       State = "lost"     // silent for 2 s, or its publisher vanished
	Failed     State = "error"    // it cannot be tried again without a change
)

// Snapshot is a source's state and figures at one instant.
type Snapshot struct {
	Source string
	State  State
	Reason error // why it is lost; nil where nothing was said

	Kind, Remote string     // of the publisher, or of the last one
	Since        media.Time // of its connection; 0: never
	LastPacket   media.Time // 0: none yet

	Video, Audio *media.Track // nil: none seen on this connection
	Bytes        uint64       // payload since the connection
	Packets      uint64
	Refused      uint64  // access units dropped: empty, oversized, of a track that is not used
	LateAudio    uint64  // packets of sound that came after they were due, too late to be heard
	LateVideo    uint64  // pictures that came after they were due to be shown
	Bitrate      float64 // bits per second
	FPS          float64 // pictures a second
	GOP          time.Duration

	Timeline TimelineStats
}

const (
	rateSpan   = time.Second
	packetSize = 16 << 20 // bytes; a larger access unit is refused
)

// health is a source's state machine and counters, guarded by its owner.
type health struct {
	state  State
	reason error
	shot   Snapshot

	seen      [media.Audio + 1]media.Time // last packet of each kind; 0: none
	keyed     media.Time
	rateSince media.Time
	bytes     uint64 // since rateSince
	pictures  uint64
}

func (h *health) connect(kind, remote string, now media.Time) {
	*h = health{state: Connecting, rateSince: now}
	h.shot = Snapshot{Kind: kind, Remote: remote, Since: now}
}

func (h *health) end(reason error) {
	h.state, h.reason = Idle, reason
	if reason != nil {
		h.state = Lost
	}
	h.shot.Bitrate, h.shot.FPS = 0, 0
	h.seen = [media.Audio + 1]media.Time{}
}

// admit counts an access unit and says whether it is of use: a source has one
// video and one audio track, and another takes the place of one that has been
// silent. replaced is the track that gave way.
func (h *health) admit(u AccessUnit, now media.Time) (ok bool, replaced string) {
	shot := &h.shot
	slot := &shot.Audio
	if u.Track.Kind == media.Video {
		slot = &shot.Video
	}
	used := *slot
	switch {
	case len(u.Data) == 0, len(u.Data) > packetSize, u.Track.Kind != media.Video && u.Track.Kind != media.Audio:
		shot.Refused++
		return false, ""
	case used != nil && used.ID != u.Track.ID:
		if now.Sub(h.seen[u.Track.Kind]) < lostAfter {
			shot.Refused++
			return false, ""
		}
		replaced = used.ID
	}
	*slot = u.Track
	h.seen[u.Track.Kind] = now
	shot.LastPacket = now
	shot.Packets++
	shot.Bytes += uint64(len(u.Data))
	h.bytes += uint64(len(u.Data))
	if u.Track.Kind == media.Video {
		h.pictures++
		if u.Key && h.keyed != 0 {
			shot.GOP = now.Sub(h.keyed)
		}
		if u.Key {
			h.keyed = now
		}
	}
	h.judge(now)
	return true, replaced
}

// late counts a packet that came after it was due.
func (h *health) late(kind media.Kind, late bool) {
	switch {
	case !late:
	case kind == media.Audio:
		h.shot.LateAudio++
	default:
		h.shot.LateVideo++
	}
}

// judge derives the state of a connected source from what has been silent.
func (h *health) judge(now media.Time) {
	silent, tracks := 0, 0
	for _, seen := range h.seen {
		if seen == 0 {
			continue
		}
		tracks++
		if now.Sub(seen) >= lostAfter {
			silent++
		}
	}
	switch {
	case tracks == 0 && now.Sub(h.shot.Since) < lostAfter:
		h.state = Connecting
	case silent == tracks:
		h.state = Lost
	case silent > 0:
		h.state = Degraded
	default:
		h.state = Live
	}
}

// watch is called a few times a second.
func (h *health) watch(now media.Time) {
	switch h.state {
	case Idle, Failed:
		return
	case Lost:
		if h.reason != nil { // its publisher is gone
			return
		}
	}
	h.judge(now)
	if elapsed := now.Sub(h.rateSince); elapsed >= rateSpan {
		h.shot.Bitrate = float64(h.bytes*8) / elapsed.Seconds()
		h.shot.FPS = float64(h.pictures) / elapsed.Seconds()
		h.rateSince, h.bytes, h.pictures = now, 0, 0
	}
}

func (h *health) snapshot() Snapshot {
	shot := h.shot
	shot.State, shot.Reason = h.state, h.reason
	return shot
}

// summary is what is told of a publisher that goes, as slog takes it.
func (h *health) summary(now media.Time) []any {
	args := []any{"kind", h.shot.Kind, "remote", h.shot.Remote,
		"seconds", int(now.Sub(h.shot.Since).Seconds()), "packets", h.shot.Packets}
	for _, count := range []struct {
		name  string
		value uint64
	}{{"refused", h.shot.Refused}, {"lateAudio", h.shot.LateAudio}, {"lateVideo", h.shot.LateVideo}} {
		if count.value > 0 {
			args = append(args, count.name, count.value)
		}
	}
	return args
}
