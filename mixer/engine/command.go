package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// execute applies a command at tick n and says what came of it.
func (d *desk) execute(command worker.Command, n int64) worker.Ack {
	ack := worker.Ack{ID: command.ID, Frame: n}
	code, err := d.apply(command, n)
	if err != nil {
		ack.Code, ack.Error = code, err.Error()
	}
	ack.Program, ack.Preview, ack.Transition = d.program, d.preview, d.progress(n)
	return ack
}

// apply does what a command holds, in the order of worker.Command, all or
// nothing.
func (d *desk) apply(command worker.Command, n int64) (code string, err error) {
	if command.Expect != nil && *command.Expect != d.program {
		return worker.AckMoved, fmt.Errorf("program is %q, not %q", d.program, *command.Expect)
	}
	show, preview := d.show, d.preview
	if command.Show != nil {
		show = *command.Show
	}
	if command.Preview != nil {
		preview = *command.Preview
		if _, ok := find(show, preview); !ok && preview != "" {
			return worker.AckUnknown, fmt.Errorf("no scene %q", preview)
		}
	}
	for id := range command.Overlays {
		if !slices.ContainsFunc(show.Overlays, func(o scene.Overlay) bool { return o.ID == id }) {
			return worker.AckUnknown, fmt.Errorf("no overlay %q", id)
		}
	}
	target, code, err := d.target(command, show, preview)
	if err != nil {
		return code, err
	}
	if command.Show != nil {
		program := d.program
		if _, stays := find(show, program); !stays && command.Cut != nil && command.Bar == nil {
			program = target
		}
		if err := d.take(show, program); errors.Is(err, errOnAir) {
			return worker.AckOnAir, err
		} else if err != nil {
			return worker.AckInvalid, err
		}
	}
	d.preview = preview
	if _, ok := find(show, preview); !ok {
		d.preview = ""
	}
	switch {
	case command.Bar != nil:
		d.bar(target, with(command), *command.Bar, n)
	case command.Cut != nil:
		d.bring(target, with(command), n)
	}
	if command.Black != nil {
		d.fadeBlack(*command.Black, n)
	}
	for id, on := range command.Overlays {
		d.overlay(id, on, n)
	}
	return "", nil
}

// target is the scene that a command brings on air, "" where it brings none, and
// what makes the command one that cannot be carried out.
func (d *desk) target(command worker.Command, show worker.Show, preview string) (id, code string, err error) {
	if command.With != nil {
		if faults := command.With.Validate(); len(faults) > 0 {
			return "", worker.AckInvalid, fmt.Errorf("transition: %s %s", faults[0].Pointer, faults[0].Detail)
		}
	}
	if black := command.Black; black != nil && (black.DurationMs < 0 || int64(black.DurationMs) > scene.MaxTransition.Milliseconds()) {
		return "", worker.AckInvalid, fmt.Errorf("a fade of %d ms is not between 0 and %d", black.DurationMs, scene.MaxTransition.Milliseconds())
	}
	switch bar := command.Bar; {
	case bar == nil && command.Cut == nil:
		return "", "", nil
	case bar != nil && !(*bar >= 0 && *bar <= 1):
		return "", worker.AckInvalid, fmt.Errorf("the T-bar goes from 0 to 1, not to %v", *bar)
	case bar != nil && d.stage.from != nil && d.stage.held < 0:
		return "", worker.AckInvalid, fmt.Errorf("a transition goes on by itself until frame %d", d.stage.begin+d.stage.frames-1)
	}
	if command.Cut != nil {
		id = *command.Cut
	}
	if id == "" {
		id = preview
	}
	if id == "" && command.Bar == nil {
		id = d.before
	}
	if _, ok := find(show, id); !ok {
		if id == "" {
			return "", worker.AckUnknown, fmt.Errorf("no scene is on preview")
		}
		return "", worker.AckUnknown, fmt.Errorf("no scene %q", id)
	}
	return id, "", nil
}

// with is a command's transition.
func with(command worker.Command) scene.Transition {
	if command.With == nil {
		return scene.Transition{Type: scene.Cut}
	}
	return *command.With
}

// bring puts a scene on program, from frame n on. What it replaces goes to
// preview where preview was what came on air, so that take after take goes to
// and fro. A transition under way is where the next one begins; the same scene
// again does not begin anew, but a cut ends its transition.
func (d *desk) bring(to string, with scene.Transition, n int64) {
	from := d.program
	barred := d.stage.from != nil && d.stage.held >= 0 && d.stage.scene == to
	d.swap(to)
	frames := d.frames(with.Duration())
	switch {
	case with.Type == scene.Cut || frames < 1 || from == to && d.stage.from == nil:
		d.stage = &stage{scene: to, placements: d.placements(to)}
	case barred: // the hand let go; the machine goes on from where it was
		d.stage.start, d.stage.held, d.stage.begin = d.stage.held, moving, n
		d.stage.frames = max(int64(float64(frames)*(1-d.stage.start)), 1)
	case d.stage.scene == to && d.stage.from != nil: // it is on its way already
	default:
		d.stage = &stage{
			scene: to, placements: d.placements(to), from: d.stage.freeze(n - 1), with: with, begin: n, frames: frames, held: moving,
		}
	}
	d.resting = false
}

// bar has a hand move a scene in.
func (d *desk) bar(to string, with scene.Transition, position float64, n int64) {
	if d.stage.from == nil || d.stage.held < 0 {
		if with.Type == scene.Cut {
			with.Type = scene.Mix
		}
		d.stage = &stage{scene: to, placements: d.placements(to), from: d.stage, with: with, begin: n}
	}
	switch {
	case position >= 1:
		to = d.stage.scene
		d.stage.from = nil
		d.swap(to)
	case position <= 0:
		d.stage = d.stage.from
	default:
		d.stage.held = position
	}
	d.resting = false
}

// swap makes a scene program.
func (d *desk) swap(to string) {
	from := d.program
	if from != to {
		d.before = from
	}
	if d.preview == to {
		d.preview = from
	}
	d.program = to
}

// frames is how many frames a duration takes.
func (d *desk) frames(duration time.Duration) int64 {
	return (int64(duration)*d.rate.Num/d.rate.Den + int64(time.Second)/2) / int64(time.Second)
}

func (d *desk) fadeBlack(black worker.Black, n int64) {
	to := 0.0
	if black.On {
		to = 1
	}
	d.black.begin(n, to, d.frames(time.Duration(black.DurationMs)*time.Millisecond))
}

// overlay brings one on air, or takes it off.
func (d *desk) overlay(id string, on bool, n int64) {
	for _, o := range d.show.Overlays {
		if o.ID != id {
			continue
		}
		to := 0.0
		if on {
			to = 1
		}
		d.over[id].begin(n, to, d.frames(time.Duration(o.FadeMs)*time.Millisecond))
	}
}

// progress describes the transition under way on frame n; nil at rest.
func (d *desk) progress(n int64) *worker.Progress {
	s := d.stage
	if s.from == nil {
		return nil
	}
	p := &worker.Progress{From: s.from.scene, To: s.scene, Type: s.with.Type, Position: s.progress(n)}
	if s.held < 0 {
		p.End, p.Frames = s.begin+s.frames-1, s.frames
	}
	return p
}
