package appliance

import (
	"context"
	"log/slog"
	"sync"

	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/mixer/worker"
	"millrace/output/whep"
)

// viewing shows over WebRTC what a channel encodes: its program, and a return
// for each source that has one: the same pictures, the sound without that
// source. Nothing is encoded for viewers.
type viewing struct {
	server     *whep.Server
	channel    string
	packets    *fanOut // every packet of the channel
	requestKey func(rung string) bool
	sent       *delay.Window                    // from a frame being due to its last packet going out
	multiview  func(media.Sink) (cancel func()) // has the worker send it
	log        *slog.Logger

	mu    sync.Mutex
	ctx   context.Context // of the channel's run
	rungs []whep.Rung
	sound *media.Track      // Opus of the program
	shown map[string]func() // by resource: takes it off air
}

// begin takes what the channel's first worker encodes, and puts the program on
// air.
func (v *viewing) begin(renditions []worker.Rendition) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rungs, v.sound = nil, nil
	for _, r := range renditions {
		switch {
		case r.Track.Codec == media.H264: // browsers take what only cards encode by HLS and DASH
			v.rungs = append(v.rungs, whep.Rung{ID: r.ID, Track: r.Track, Bitrate: r.Bitrate})
		case r.Track.Codec == media.Opus:
			v.sound = r.Track
		}
	}
	for resource := range v.shown {
		v.hide(resource)
	}
	v.show(v.channel, v.sound)
}

// multiviewBitrate is about what the worker makes, in bits per second.
const multiviewBitrate = 1_500_000

// offerMultiview puts the multiview that a worker can make on air, with the
// program's sound, unless it is there. It is made while somebody watches.
func (v *viewing) offerMultiview(track *media.Track) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if track == nil || v.sound == nil || v.ctx.Err() != nil || v.shown[v.multiviewResource()] != nil {
		return
	}
	var program *whep.Program
	leave := func() {}
	program = v.server.NewProgram(whep.ProgramConfig{
		Resource: v.multiviewResource(), Audio: v.sound, RequestKey: v.requestKey,
		Rungs: []whep.Rung{{ID: track.ID, Track: track, Bitrate: multiviewBitrate}},
		Watched: func(watched bool) {
			if leave(); watched {
				leave = v.multiview(program)
			} else {
				leave = func() {}
			}
		},
	})
	v.run(v.multiviewResource(), program, func(t *media.Track) bool { return t.ID == worker.OpusID })
}

func (v *viewing) multiviewResource() string { return v.channel + "/multiview" }

// returns puts on air the returns of exactly these sources.
func (v *viewing) returns(sources []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sound == nil || v.ctx.Err() != nil {
		return
	}
	wanted := map[string]bool{v.channel: true, v.multiviewResource(): true}
	for _, source := range sources {
		resource := v.channel + "/return/" + source
		wanted[resource] = true
		if v.shown[resource] == nil {
			sound := *v.sound
			sound.ID = worker.ReturnID(source)
			v.show(resource, &sound)
		}
	}
	for resource := range v.shown {
		if !wanted[resource] {
			v.hide(resource)
		}
	}
}

// show puts the pictures with a sound on air under a name; v is locked.
func (v *viewing) show(resource string, sound *media.Track) {
	program := v.server.NewProgram(whep.ProgramConfig{
		Resource: resource, Rungs: v.rungs, Audio: sound, RequestKey: v.requestKey, Sent: v.sent,
	})
	v.run(resource, program, func(t *media.Track) bool {
		return t.Kind == media.Video || sound != nil && t.ID == sound.ID
	})
}

// run puts a program with some of the channel's packets on air; v is locked.
func (v *viewing) run(resource string, program *whep.Program, take func(*media.Track) bool) {
	running := begin(v.ctx, func(ctx context.Context) {
		if err := program.Run(ctx); err != nil {
			v.log.Error("show channel over WebRTC", "channel", v.channel, "resource", resource, "err", err)
		}
	})
	remove := v.packets.add(program, take)
	v.shown[resource] = func() {
		remove()
		running.stop()
	}
}

// hide takes a name off air; v is locked.
func (v *viewing) hide(resource string) {
	v.shown[resource]()
	delete(v.shown, resource)
}

// end takes everything off air.
func (v *viewing) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for resource := range v.shown {
		v.hide(resource)
	}
}
