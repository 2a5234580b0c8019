package engine

import (
	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// way is how long the pictures of one source take from stage to stage. Each
// stage adds from its own goroutine.
type way struct {
	socket delay.Window // from being handed on by the server to here
	decode delay.Window // from there to the picture, the queue with it
	wait   delay.Window // from there to the tick that composes it first
	total  delay.Window // of all
}

// arrived measures a packet as it comes. What a GOP cache repeats says nothing.
func (w *way) arrived(p *media.Packet, now media.Time) {
	if p.Stamp != 0 && p.PTS > now.Add(-fresh) {
		w.socket.Add(now, now.Sub(p.Stamp))
	}
}

// composed measures a picture on its first tick.
func (w *way) composed(p picture, now media.Time) {
	if p.decoded == 0 || p.PTS <= now.Add(-fresh) {
		return
	}
	w.wait.Add(now, now.Sub(p.decoded))
	if p.stamp != 0 {
		w.total.Add(now, now.Sub(p.stamp))
	}
}

func (w *way) report(now media.Time) worker.Way {
	return worker.Way{
		Socket: w.socket.Spread(now), Decode: w.decode.Spread(now), Wait: w.wait.Spread(now), Total: w.total.Spread(now),
	}
}
