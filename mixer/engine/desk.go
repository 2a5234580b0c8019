package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// desk is what the operator moves: the show's sources and scenes, and which
// scene is on program and preview. Owned by the tick.
type desk struct {
	device gpu.Device
	clock  *media.Clock
	log    *slog.Logger
	rate   media.Rate

	show    worker.Show
	sources map[string]*source
	program string
	preview string // "" while none was set
	before  string // on program before the last take

	stage   *stage // of the program
	vision  *vision
	board   *board
	now     media.Time       // of the tick
	swept   media.Time       // the tick on which the board was swept
	over    map[string]*fade // how much of each overlay is on air, by id
	black   fade
	onAir   map[string]float32 // how much of each source is in the program's sound, 0..1; those that are not in it are absent
	resting bool               // onAir is that of the stage at rest

	changed func(sources map[string]*source) // the set of sources is another one
}

// newDesk makes the show's sources. changed hears of every later set of them.
func newDesk(device gpu.Device, show worker.Show, clock *media.Clock, log *slog.Logger) (*desk, error) {
	d := &desk{
		device: device, clock: clock, log: log, rate: show.Canvas.Rate, sources: map[string]*source{}, changed: func(map[string]*source) {},
		stage: &stage{scene: show.Program}, vision: newVision(device, show.Canvas), over: map[string]*fade{},
	}
	var err error
	if d.board, err = newBoard(device, show.Canvas, log); err != nil {
		return nil, err
	}
	if err := d.take(show, show.Program); err != nil {
		d.close()
		return nil, err
	}
	d.preview, d.before = show.Preview, show.Program
	for _, id := range show.OverlaysOn {
		if d.over[id] != nil {
			d.over[id].to = 1
		}
	}
	if show.Black {
		d.black.to = 1
	}
	return d, nil
}

// errOnAir refuses a show without the scene that is on program.
var errOnAir = errors.New("it is on program and not in the show")

// check says what makes a show unfit for this channel.
func (d *desk) check(show worker.Show, program string) error {
	ids := make([]string, 0, len(show.Sources))
	for _, config := range show.Sources {
		if slices.Contains(ids, config.ID) {
			return fmt.Errorf("source %q stands twice", config.ID)
		}
		ids = append(ids, config.ID)
		if delay := config.Audio.DelayMs; delay < 0 || int64(delay) > maxDelay.Milliseconds() {
			return fmt.Errorf("source %q: audio delay of %d ms is not between 0 and %d", config.ID, delay, maxDelay.Milliseconds())
		}
	}
	for _, s := range show.Scenes {
		if faults := s.Validate(ids); len(faults) > 0 {
			return fmt.Errorf("scene %q: %s: %s", s.ID, faults[0].Pointer, faults[0].Detail)
		}
	}
	if faults := scene.ValidateOverlays(show.Overlays); len(faults) > 0 {
		return fmt.Errorf("overlays: %s: %s", faults[0].Pointer, faults[0].Detail)
	}
	if _, ok := find(show, program); !ok {
		return fmt.Errorf("scene %q: %w", program, errOnAir)
	}
	if old := d.show; old.Channel != "" && (old.Canvas != show.Canvas || !reflect.DeepEqual(old.Ladder, show.Ladder) ||
		old.AudioID != show.AudioID || old.AudioBitrate != show.AudioBitrate) {
		return errors.New("canvas, ladder and audio rendition cannot change")
	}
	return nil
}

func find(show worker.Show, id string) (scene.Scene, bool) {
	for _, s := range show.Scenes {
		if s.ID == id {
			return s, true
		}
	}
	return scene.Scene{}, false
}

// take puts a show in place of the one before, with program on air. Sources
// that stay keep their pictures and sound. On an error nothing changed.
func (d *desk) take(show worker.Show, program string) error {
	if err := d.check(show, program); err != nil {
		return err
	}
	next := make(map[string]*source, len(show.Sources))
	for _, config := range show.Sources {
		if old := d.sources[config.ID]; old != nil && old.keeps(config) {
			next[config.ID] = old
			continue
		}
		made, err := newSource(d.device, config, show.Canvas.Rate, d.clock, d.log)
		next[config.ID] = made
		if err != nil {
			d.discard(next)
			return err
		}
	}
	for _, config := range show.Sources {
		next[config.ID].update(d.device, config, d.log)
	}
	old := d.sources
	d.show, d.sources = show, next
	if _, ok := find(show, d.preview); !ok {
		d.preview = ""
	}
	d.program = program
	d.refresh()
	d.changed(next)
	for id, s := range old {
		if next[id] != s {
			s.end()
		}
	}
	return nil
}

// discard closes what take made in vain.
func (d *desk) discard(made map[string]*source) {
	for id, s := range made {
		if s != d.sources[id] {
			s.close()
		}
	}
}

// refresh resolves the scenes on program anew. A scene that is gone from the show
// is gone from a transition too.
func (d *desk) refresh() {
	if _, ok := find(d.show, d.stage.scene); !ok {
		d.stage = &stage{scene: d.program}
	}
	for s := d.stage; s != nil; s = s.from {
		s.placements = d.placements(s.scene)
		if s.from != nil {
			if _, ok := find(d.show, s.from.scene); !ok {
				s.from = nil
			}
		}
	}
	d.resting = false
	d.prepare()
}

// prepare has the show's texts drawn, and forgets overlays that are gone.
func (d *desk) prepare() {
	var all []scene.Placement
	over := map[string]*fade{}
	for _, o := range d.show.Overlays {
		if over[o.ID] = d.over[o.ID]; over[o.ID] == nil {
			over[o.ID] = &fade{}
		}
		all = append(all, o.Placement())
	}
	d.over = over
	for _, s := range d.show.Scenes {
		all = append(all, labelled(d.placements(s.ID))...)
	}
	d.board.prepare(all, d.now)
	d.board.keep(d.show, d.now)
}

// placements is a scene of the show on the canvas.
func (d *desk) placements(id string) []scene.Placement {
	s, _ := find(d.show, id)
	return s.Placements(d.show.Canvas.Width, d.show.Canvas.Height)
}
