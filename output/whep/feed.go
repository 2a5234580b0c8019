package whep

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"millrace/internal/media"
)

const (
	feedSilence = 2 * time.Second // without packets: the publisher is gone
	feedBitrate = 8_000_000       // bits per second, taken for what a publisher sends

	feedInbox = 1024 // a GOP cache comes at once
)

// Feed shows a source's own packets, as its publisher sent them, while they
// come. It is a media.Sink.
type Feed struct {
	server   *Server
	resource string
	ask      func() bool
	inbox    chan *media.Packet
	missed   atomic.Bool // a packet did not fit into the inbox

	// Owned by the goroutine of Run.
	video, audio *media.Track // of the present publisher; nil: none seen
	program      *Program     // nil: nothing is on air
	last         time.Time    // packet
}

// NewFeed is a feed that is not on air before Run: "source/cam1". requestKey
// asks the publisher for a keyframe, once a second at most; false: he makes none
// when asked.
func (s *Server) NewFeed(resource string, requestKey func() bool) *Feed {
	return &Feed{server: s, resource: resource, ask: requestKey, inbox: make(chan *media.Packet, feedInbox)}
}

// Write is media.Sink's.
func (f *Feed) Write(packet *media.Packet) {
	select {
	case f.inbox <- packet:
	default:
		f.missed.Store(true)
		f.server.counters.dropped.Add(1)
	}
}

// Run shows packets until the context ends.
func (f *Feed) Run(ctx context.Context) error {
	defer f.end()
	silence := time.NewTicker(feedSilence / 4)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case packet := <-f.inbox:
			f.last = time.Now()
			if err := f.hand(packet); err != nil {
				return err
			}
		case now := <-silence.C:
			if f.program != nil && now.Sub(f.last) > feedSilence {
				f.end()
				f.video, f.audio = nil, nil
			}
		}
	}
}

// hand gives a packet to the program of its tracks.
func (f *Feed) hand(packet *media.Packet) error {
	known := &f.audio
	if packet.Track.Kind == media.Video {
		known = &f.video
	}
	before := *known
	*known = packet.Track
	if before == nil || before.Codec != packet.Track.Codec || before.ID != packet.Track.ID {
		f.end() // its viewers come again, for another agreement
		f.program = f.server.NewProgram(f.config())
		if err := f.server.enter(f.program); err != nil {
			f.program = nil
			return fmt.Errorf("show %q: %w", f.resource, err)
		}
	}
	if f.missed.Swap(false) {
		f.program.missed.Store(true)
	}
	f.program.now = f.last
	f.program.hand(packet)
	return nil
}

// config is a program of the present tracks, of those that can be sent as they
// are.
func (f *Feed) config() ProgramConfig {
	c := ProgramConfig{Resource: f.resource, Replay: true, RequestKey: func(string) bool { return f.ask() }, NoVideo: "the source has no picture", NoAudio: "the source has no sound"}
	if t := f.video; t != nil {
		if sendable(t.Codec) {
			c.Rungs = []Rung{{ID: t.ID, Track: t, Bitrate: feedBitrate}}
		} else {
			c.NoVideo = fmt.Sprintf("the source's picture is %s, which is not sent over WebRTC: H.264, VP8, VP9 and AV1 are", t.Codec)
		}
	}
	if t := f.audio; t != nil {
		if sendable(t.Codec) {
			c.Audio = t
		} else {
			c.NoAudio = fmt.Sprintf("the source's sound is %s, which is not sent over WebRTC: Opus is", t.Codec)
		}
	}
	return c
}

// end takes the source off the air.
func (f *Feed) end() {
	if f.program != nil {
		f.program.finish()
		f.program = nil
	}
}
