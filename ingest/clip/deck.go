package clip

import (
	"context"
	"time"

	"millrace/ingest"
	"millrace/internal/media"
)

// deck is the clip in a player. The goroutine of Run owns it.
type deck struct {
	player  *Player
	reader  Reader         // nil while none is loaded
	session ingest.Session // nil while nothing is fed

	base   media.Time // when the clip's position is 0, in this pass
	gop    []Sample   // since the last key frame, to go on from after a pause
	bytes  int        // of gop
	next   *Sample    // was read and not fed yet
	any    bool       // of this pass was fed
	end    media.Time // of what was fed of the pictures, or of the sound where there are none
	film   bool       // it has pictures
	sound  grid
	stands time.Duration // where it was paused
}

// grid keeps access units of sound on one grid of their own over the passes of a
// loop, so that nothing is torn where they meet.
type grid struct {
	end   media.Time    // of the last unit; 0 before the first
	shift time.Duration // of this pass, at most half a unit
	set   bool
}

// place is when a unit sounds that belongs at t; false where the pass before
// still sounds.
func (g *grid) place(t media.Time, duration time.Duration) (media.Time, bool) {
	if !g.set {
		off := g.end.Sub(t)
		if duration > 0 && g.end != 0 && off > duration/2 {
			return 0, false
		}
		if duration > 0 && g.end != 0 && off.Abs() <= duration/2 {
			g.shift = off
		} else {
			g.shift = 0
		}
		g.set = true
	}
	t = t.Add(g.shift)
	g.end = t.Add(duration)
	return t, true
}

func (d *deck) load() (err error) {
	if d.reader != nil {
		return nil
	}
	if d.reader, err = d.player.config.Open(); err != nil {
		return err
	}
	d.tellLength()
	return nil
}

func (d *deck) tellLength() {
	p := d.player
	p.mu.Lock()
	p.status.Length = d.reader.Length()
	p.mu.Unlock()
}

func (d *deck) unload() {
	d.disconnect()
	if d.reader != nil {
		_ = d.reader.Close() // it was only read
	}
	*d = deck{player: d.player}
}

func (d *deck) disconnect() {
	if d.session != nil {
		d.session.Close(nil)
		d.session = nil
	}
}

func (d *deck) connect() (err error) {
	if d.session == nil {
		d.session, err = d.player.config.Feed.ConnectPlaced("file", "")
	}
	return err
}

// rewind goes to the beginning.
func (d *deck) rewind() error {
	if err := d.load(); err != nil {
		return err
	}
	d.gop, d.bytes, d.next, d.sound = nil, 0, nil, grid{}
	return d.reader.Rewind()
}

// cue shows the first picture and waits there. It is given twice: a decoder
// that reorders shows the first when the second comes.
func (d *deck) cue() error {
	d.disconnect()
	if err := d.rewind(); err != nil {
		return err
	}
	for range 1000 {
		s, err := d.reader.Next()
		if ended(err) {
			break
		}
		if err != nil {
			return err
		}
		if s.Track.Kind != media.Video || !s.Key {
			continue
		}
		if err := d.connect(); err != nil {
			return err
		}
		d.base = d.player.config.Clock.Now().Add(lead - s.PTS)
		d.write(s, d.base.Add(s.PTS))
		d.write(s, d.base.Add(s.PTS+40*time.Millisecond))
		break
	}
	d.player.enter(Cued, 0, nil)
	d.disconnect()
	return d.rewind()
}

// write feeds a sample whose time is pts.
func (d *deck) write(s Sample, pts media.Time) {
	d.session.Write(ingest.AccessUnit{
		Track: s.Track, PTS: time.Duration(pts), DTS: time.Duration(pts.Add(s.DTS - s.PTS)), Key: s.Key, Data: s.Data,
	})
}

// pause keeps the picture.
func (d *deck) pause() {
	d.stands = d.player.config.Clock.Now().Sub(d.base)
	d.player.enter(Paused, max(d.stands, 0), nil)
	d.disconnect()
}

// start is when a clip that goes on at a position now has its position 0: its
// pictures begin between the ticks of a channel with the same rate, so that each
// tick shows another.
func (d *deck) start(position time.Duration) media.Time {
	at := d.player.config.Clock.Now().Add(lead - position)
	rate := d.reader.Rate()
	if rate.Num == 0 {
		return at
	}
	return rate.At(rate.Index(at) + 1).Add(-rate.Interval() / 2)
}

// play feeds the clip until an order comes or it ends. resumed goes on where it
// was paused.
func (d *deck) play(ctx context.Context, resumed bool) (Order, error) {
	playing := d.session != nil && d.player.Status().State == Playing && d.next != nil
	if err := d.connect(); err != nil {
		return "", err
	}
	switch {
	case resumed:
		d.base = d.start(d.stands)
		d.sound = grid{}
		for _, s := range d.gop { // in the past: the last one stays
			if s.Track.Kind == media.Video {
				d.write(s, d.base.Add(s.PTS))
			}
		}
	case !playing:
		d.base, d.any, d.end = d.start(0), false, 0
	}
	d.playFrom(d.base)
	for {
		order, err := d.pass(ctx)
		if order != "" || err != nil || ctx.Err() != nil {
			return order, err
		}
		if again, err := d.over(); err != nil {
			return "", err
		} else if again {
			continue
		}
		order = Play
		for order == Play { // it does already
			order = d.player.until(ctx, d.end, d.session)
		}
		if order != "" || ctx.Err() != nil {
			return order, nil
		}
		d.player.enter(Ended, d.end.Sub(d.base), nil)
		d.disconnect()
		if d.player.config.Settings().Rewind {
			return Cue, nil
		}
		return "", nil
	}
}

// playFrom says since when it plays.
func (d *deck) playFrom(base media.Time) {
	p := d.player
	p.mu.Lock()
	p.base = base
	p.mu.Unlock()
	p.enter(Playing, 0, nil)
}

// over is the end of a pass: again says that another begins where it ended.
func (d *deck) over() (again bool, err error) {
	d.tellLength()
	if !d.any || d.end <= d.base {
		return false, errEmpty
	}
	if !d.player.config.Settings().Loop {
		return false, nil
	}
	if err := d.reader.Rewind(); err != nil {
		return false, err
	}
	d.base, d.any, d.sound.set = d.end, false, false
	d.gop, d.bytes = nil, 0
	d.playFrom(d.base)
	return true, nil
}
