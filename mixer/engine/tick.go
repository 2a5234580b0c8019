package engine

import (
	"context"
	"fmt"
	"time"

	"millrace/gpu"
	"millrace/mixer/worker"
)

// mostBehind is how many ticks may be overdue before pictures are repeated to
// catch up: no more than the rungs' queues have room for.
const mostBehind = rungQueue - 2

// ticks runs tick after tick, each when it is due, until the context ends. A
// frame number is never skipped: a mixer that fell behind repeats its last
// picture until it has caught up.
func (e *Engine) ticks(ctx context.Context, first int64) error {
	clock := e.config.Clock
	for n := first; clock.SleepUntil(ctx, e.rate.At(n)) == nil; n++ {
		e.state.next = n
		repeat := e.last.Canvas != nil && e.rate.Index(clock.Now())-n > mostBehind
		if err := e.tick(n, repeat); err != nil {
			return err
		}
	}
	return nil
}

// tick makes frame n: obey, produce, mix, encode, sound.
func (e *Engine) tick(n int64, repeat bool) error {
	e.obey(n)
	begin := time.Now()

	viewed := e.view != nil && e.view.due(n) && !repeat
	e.desk.advance(n, e.rate.At(n), repeat, viewed)
	defer e.desk.done()
	begin = e.state.decode.lap(begin)

	if repeat {
		e.state.repeated++
	} else if err := e.compose(n); err != nil {
		return fmt.Errorf("compose frame %d: %w", n, err)
	}
	begin = e.state.compose.lap(begin)
	if !repeat {
		now := e.config.Clock.At(begin)
		e.desk.composed(now)
		e.state.composed.Add(now, now.Sub(e.rate.At(n)))
		if e.view != nil {
			e.view.compose(n, e.desk, e.last.Canvas)
			begin = time.Now()
		}
	}

	for i, r := range e.ladder.rungs {
		r.put(e.last.Rungs[i].Retain(), n)
	}
	e.metering.follow(e.desk.sources)
	if err := e.sound.tick(n, e.desk, &e.metering.program, e.inspection.hear); err != nil {
		return fmt.Errorf("mix the sound of frame %d: %w", n, err)
	}
	if !repeat {
		e.inspection.tick(n, e.rate.At(n), e.last, e.desk)
	}
	e.metering.read(n, e.rate.At(n), e.desk.sources)
	e.state.audio.lap(begin)

	e.account(n)
	return nil
}

// obey executes the commands that take effect on frame n.
func (e *Engine) obey(n int64) {
	for _, order := range e.orders.due(n) {
		command := order.command
		if command.At != 0 && command.At < n {
			order.reply(worker.Ack{
				ID: command.ID, Frame: n + 1, Program: e.desk.program, Preview: e.desk.preview, Code: worker.AckPast,
				Error: fmt.Sprintf("frame %d is over; the earliest possible is %d", command.At, n+1),
			})
			continue
		}
		order.reply(e.desk.execute(command, n))
	}
}

// compose draws the program of frame n; the engine keeps the result for ticks
// that come too late for their own.
func (e *Engine) compose(n int64) error {
	layers, err := e.desk.picture(n)
	if err != nil {
		return err
	}
	composition, err := e.compositor.Compose(layers, gpu.Black())
	if err != nil {
		return err
	}
	if e.last.Canvas != nil {
		e.last.Release()
	}
	e.last = composition
	return nil
}
