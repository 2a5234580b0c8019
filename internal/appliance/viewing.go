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
	requestKey func(rung string)
	sent       *delay.Window // from a frame being due to its last packet going out
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
		case r.Track.Kind == media.Video:
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

// returns puts on air the returns of exactly these sources.
func (v *viewing) returns(sources []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sound == nil || v.ctx.Err() != nil {
		return
	}
	wanted := map[string]bool{v.channel: true}
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
	running := begin(v.ctx, func(ctx context.Context) {
		if err := program.Run(ctx); err != nil {
			v.log.Error("show channel over WebRTC", "channel", v.channel, "resource", resource, "err", err)
		}
	})
	remove := v.packets.add(program, func(t *media.Track) bool {
		return t.Kind == media.Video || sound != nil && t.ID == sound.ID
	})
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
