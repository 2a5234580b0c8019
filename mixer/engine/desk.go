package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// desk is what the operator moves: the show's sources and scenes, and which
// scene is on program and preview. Owned by the tick.
type desk struct {
	device gpu.Device
	log    *slog.Logger

	show    worker.Show
	sources map[string]*source
	program string
	preview string // "" while none was set
	before  string // on program before the last cut

	placed []placed           // the program scene, lowest first
	onAir  map[string]float32 // how much of each source is in it, 0..1; those that are not are absent

	changed func(sources map[string]*source) // the set of sources is another one
}

// placed is one layer of the program scene.
type placed struct {
	source *source
	layer  gpu.Layer // without its frame
}

// newDesk makes the show's sources. changed hears of every later set of them.
func newDesk(device gpu.Device, show worker.Show, log *slog.Logger) (*desk, error) {
	d := &desk{device: device, log: log, sources: map[string]*source{}, changed: func(map[string]*source) {}}
	if err := d.take(show, show.Program); err != nil {
		d.close()
		return nil, err
	}
	d.preview, d.before = show.Preview, show.Program
	return d, nil
}

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
	if _, ok := find(show, program); !ok {
		return fmt.Errorf("scene %q is on program and not in the show", program)
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
		made, err := newSource(d.device, config, show.Canvas.Rate, d.log)
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
	d.put(program)
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

// put places a scene of the show on program.
func (d *desk) put(id string) {
	s, _ := find(d.show, id)
	d.program, d.placed, d.onAir = id, nil, map[string]float32{}
	for _, p := range s.Placements() {
		from := d.sources[p.Source]
		if from == nil {
			continue
		}
		d.onAir[p.Source] = 1
		d.placed = append(d.placed, placed{from, layer(p, d.show.Canvas)})
	}
}

// layer is a placement in canvas pixels.
func layer(p scene.Placement, canvas worker.Canvas) gpu.Layer {
	width := float64(canvas.Width)
	l := gpu.Layer{
		Crop:    gpu.Crop(p.Crop),
		Dst:     p.Rect.Pixels(canvas.Width, canvas.Height),
		Fit:     gpu.Fit(p.Fit),
		Opacity: p.Opacity,
		Radius:  p.Radius * width,
		Border:  gpu.Border{Width: p.Border.Width * width, Color: gpu.RGB(255, 255, 255)},
	}
	if color, err := scene.ParseColor(p.Border.Color); err == nil {
		l.Border.Color = gpu.RGB(color.R, color.G, color.B)
	}
	return l
}

// execute applies a command at tick n and says what came of it.
func (d *desk) execute(command worker.Command, n int64) worker.Ack {
	ack := worker.Ack{ID: command.ID, Frame: n}
	code, err := d.apply(command)
	if err != nil {
		ack.Code, ack.Error = code, err.Error()
	}
	ack.Program, ack.Preview = d.program, d.preview
	return ack
}

// apply does show, preview and cut in this order, all or nothing.
func (d *desk) apply(command worker.Command) (code string, err error) {
	if command.Expect != nil && *command.Expect != d.program {
		return worker.AckMoved, fmt.Errorf("program is %q, not %q", d.program, *command.Expect)
	}
	show, preview, program := d.show, d.preview, d.program
	if command.Show != nil {
		show = *command.Show
	}
	if command.Preview != nil {
		preview = *command.Preview
		if _, ok := find(show, preview); !ok && preview != "" {
			return worker.AckUnknown, fmt.Errorf("no scene %q", preview)
		}
	}
	if command.Cut != nil {
		if program = *command.Cut; program == "" {
			program = preview
		}
		if program == "" {
			program = d.before
		}
		if _, ok := find(show, program); !ok {
			return worker.AckUnknown, fmt.Errorf("no scene %q", program)
		}
	}
	if command.Show != nil {
		if err := d.take(show, program); err != nil {
			return worker.AckInvalid, err
		}
	}
	d.preview = preview
	if _, ok := find(show, preview); !ok {
		d.preview = ""
	}
	if command.Cut != nil {
		d.cut(program)
	}
	return "", nil
}

// cut puts a scene on program. What it replaces goes to preview where preview
// was what came on air, so that cut after cut goes to and fro.
func (d *desk) cut(to string) {
	from := d.program
	if from != to {
		d.before = from
	}
	if d.preview == to {
		d.preview = from
	}
	d.put(to)
}

// layers gives the program scene with the present pictures.
func (d *desk) layers(into []gpu.Layer) []gpu.Layer {
	for _, p := range d.placed {
		l := p.layer
		if l.Frame = p.source.frame; l.Frame == nil {
			l.Frame, l.Crop = p.source.slate, gpu.Crop{}
		}
		into = append(into, l)
	}
	return into
}

// advance moves every source to tick n at t. On a tick that repeats the last
// picture nothing is drawn.
func (d *desk) advance(n int64, t media.Time, repeat bool) {
	for id, s := range d.sources {
		s.advance(n, t, d.onAir[id] > 0 && !repeat)
	}
}

// composed hears that the program scene was composed at now.
func (d *desk) composed(now time.Time) {
	for id, s := range d.sources {
		if d.onAir[id] > 0 {
			s.compose(now)
		}
	}
}

// done ends the tick for every source.
func (d *desk) done() {
	for _, s := range d.sources {
		s.done()
	}
}

func (d *desk) close() {
	for _, s := range d.sources {
		s.close()
	}
	d.sources = nil
}
