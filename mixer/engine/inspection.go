package engine

import (
	"log/slog"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// How often is looked: at the program five times a second, in its smallest rung,
// at the sources once.
const (
	programEvery = 200 * time.Millisecond
	sourceEvery  = time.Second
)

// inspection looks for black and frozen pictures and silence on a goroutine of its
// own. A tick never waits for it: where it has not done with one look, the next
// one is left out.
type inspection struct {
	rate  media.Rate
	found func(worker.Finding)
	log   *slog.Logger

	// The tick's.
	looks   chan inspected
	rung    int        // smallest
	peak    float32    // of the program since the last look
	slot    media.Time // of the newest look, in programEvery
	sources media.Time // of the newest look at the sources, in sourceEvery

	// The goroutine's.
	program *examiner
	bySrc   map[string]*examiner
	block   audio.Block
	last    int64 // the newest frame looked at
}

// inspected is what there is to see and hear on one tick. Its pictures are owned.
type inspected struct {
	n       int64
	program *gpu.Frame
	peak    float32
	sources map[string]feedLook // nil: only the program
}

// feedLook is one source; without a picture only its sound is judged.
type feedLook struct {
	picture *gpu.Frame
	ring    *audio.Ring
}

func newInspection(rate media.Rate, ladder []*rung, found func(worker.Finding), log *slog.Logger) *inspection {
	i := &inspection{
		rate: rate, found: found, log: log, looks: make(chan inspected, 1),
		program: newExaminer(""), bySrc: map[string]*examiner{}, block: audio.NewBlock(audio.Hz),
	}
	for k, r := range ladder {
		if r.track.Width*r.track.Height < ladder[i.rung].track.Width*ladder[i.rung].track.Height {
			i.rung = k
		}
	}
	return i
}

// hear takes the sound of every tick.
func (i *inspection) hear(bus audio.Block) { i.peak = max(i.peak, bus.Peak()) }

// tick has the goroutine look, when it is time. On a tick that repeats the last
// picture there is nothing to see.
func (i *inspection) tick(n int64, t media.Time, composed gpu.Composition, desk *desk) {
	slot := t / media.Time(programEvery)
	if slot == i.slot || len(i.looks) == cap(i.looks) {
		return
	}
	look := inspected{n: n, program: composed.Rungs[i.rung].Retain(), peak: i.peak}
	i.slot, i.peak = slot, 0
	if second := t / media.Time(sourceEvery); second != i.sources {
		i.sources = second
		look.sources = map[string]feedLook{}
		for id, s := range desk.sources {
			if s.input == nil || s.report.State != worker.Live && s.report.State != worker.Degraded || s.report.Held {
				continue
			}
			feed := feedLook{ring: s.input.ring}
			if s.frame != nil {
				feed.picture = s.frame.Retain()
			}
			look.sources[id] = feed
		}
	}
	i.looks <- look // the tick is the only one that sends, and there was room
}

// run looks until the channel of looks is closed, and ends what it found.
func (i *inspection) run() {
	for look := range i.looks {
		i.last = look.n
		i.see(i.program, look.program, look.n, look.peak)
		if look.sources != nil {
			i.seeSources(look)
		}
	}
	i.program.end(i.last+1, i.found)
	for _, x := range i.bySrc {
		x.end(i.last+1, i.found)
	}
}

// see judges a picture, which it releases, and a peak.
func (i *inspection) see(x *examiner, picture *gpu.Frame, n int64, peak float32) {
	here, err := picture.Download()
	picture.Release()
	if err != nil {
		i.log.Debug("picture not examined", "err", err)
		x.listen(n, i.rate, peak, i.found)
		return
	}
	x.now.look(here)
	here.Release()
	x.examine(n, i.rate, peak, i.found)
}

func (i *inspection) seeSources(look inspected) {
	for id, x := range i.bySrc {
		if _, there := look.sources[id]; !there { // gone, or lost, which is another thing
			x.end(look.n, i.found)
			delete(i.bySrc, id)
		}
	}
	for id, feed := range look.sources {
		x := i.bySrc[id]
		if x == nil {
			x = newExaminer(id)
			i.bySrc[id] = x
		}
		peak := i.loudest(feed.ring, look.n)
		if feed.picture == nil {
			x.close(look.n, i.found)
			x.listen(look.n, i.rate, peak, i.found)
			continue
		}
		i.see(x, feed.picture, look.n, peak)
	}
}

// loudest is the peak of the second before frame n; negative where a source sends
// no sound at all, which is not silence but a source without sound.
func (i *inspection) loudest(ring *audio.Ring, n int64) float32 {
	if ring.End() == 0 || !ring.Read(i.rate.Samples(n, audio.Hz)-audio.Hz, i.block) {
		return -1
	}
	var peak float32
	for _, side := range i.block {
		for _, v := range side {
			if v-v == 0 { // neither absent nor infinite
				peak = max(peak, v, -v)
			}
		}
	}
	return peak
}
