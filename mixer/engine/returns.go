package engine

import (
	"log/slog"
	"slices"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// returns are what the sources that ask hear: the program without themselves.
// They come and go with the show. Owned by the tick.
type returns struct {
	list     []*soundReturn
	rate     media.Rate
	next     int // stream number of the next one
	onAir    bool
	emit     func(rendition int, p *media.Packet)
	announce func(worker.Message)
	log      *slog.Logger
}

// soundReturn is one source's.
type soundReturn struct {
	soundRung
	source  string
	limiter *audio.Limiter
}

// returnsOf describes the returns that a show asks for, like the program's
// Opus.
func returnsOf(show worker.Show, opus worker.Rendition) (renditions []worker.Rendition) {
	for _, source := range show.Sources {
		if !source.Return {
			continue
		}
		track := *opus.Track
		track.ID = worker.ReturnID(source.ID)
		renditions = append(renditions, worker.Rendition{ID: track.ID, Track: &track, Bitrate: opus.Bitrate, Return: source.ID})
	}
	return renditions
}

// newReturns are those of Ready, where they stand last.
func newReturns(show worker.Show, ready worker.Ready, config Config) returns {
	r := returns{rate: show.Canvas.Rate, emit: config.Emit, announce: config.Announce, log: config.Log}
	if r.announce == nil {
		r.announce = func(worker.Message) {}
	}
	r.next = firstSound(ready) + len(soundsOf(show))
	for _, rendition := range ready.Renditions[r.next:] {
		r.add(rendition)
	}
	return r
}

func (r *returns) add(rendition worker.Rendition) *soundReturn {
	made := &soundReturn{source: rendition.Return, limiter: audio.NewLimiter(audio.DefaultCeiling), soundRung: soundRung{
		sound: sound{rendition.ID, audio.Opus(rendition.Bitrate)}, stream: r.next, track: rendition.Track, emit: r.emit,
	}}
	r.list = append(r.list, made)
	r.next++
	return made
}

// open begins the returns of Ready with frame.
func (r *returns) open(frame int64) error {
	for _, made := range r.list {
		if err := made.open(r.rate, frame); err != nil {
			return err
		}
	}
	r.onAir = true
	return nil
}

// index is the place of a source's return; -1 where it has none.
func (r *returns) index(source string) int {
	return slices.IndexFunc(r.list, func(made *soundReturn) bool { return made.source == source })
}

// follow ends and begins returns as a show asks, with the samples of frame.
func (r *returns) follow(show worker.Show, opus worker.Rendition, frame int64) {
	if !r.onAir {
		return
	}
	asked := returnsOf(show, opus)
	r.list = slices.DeleteFunc(r.list, func(made *soundReturn) bool {
		if slices.ContainsFunc(asked, func(a worker.Rendition) bool { return a.Return == made.source }) {
			return false
		}
		made.close()
		r.announce(&worker.End{Stream: uint32(made.stream)})
		return true
	})
	for _, rendition := range asked {
		if r.index(rendition.Return) < 0 {
			r.begin(rendition, frame)
		}
	}
}

// begin announces a return and opens it. One that does not open is left out:
// the program matters more.
func (r *returns) begin(rendition worker.Rendition, frame int64) {
	made := r.add(rendition)
	if err := made.open(r.rate, frame); err != nil {
		r.log.Error("source gets no return", "source", rendition.Return, "err", err)
		r.list = r.list[:len(r.list)-1]
		return
	}
	r.announce(&worker.Begin{Stream: uint32(made.stream), First: made.first(r.rate, frame), Rendition: rendition})
}

// write encodes a tick.
func (r *returns) write(matrix *audio.Matrix) error {
	for i, made := range r.list {
		minus := matrix.Minus(i)
		made.limiter.Process(minus)
		if err := made.soundRung.write(minus); err != nil {
			return err
		}
	}
	return nil
}

func (r *returns) close() {
	for _, made := range r.list {
		made.close()
	}
}
