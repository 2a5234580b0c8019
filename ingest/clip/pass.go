package clip

import (
	"context"
	"time"

	"millrace/ingest"
	"millrace/internal/media"
)

// pass feeds the rest of the clip, each sample in its time, until an order comes.
func (d *deck) pass(ctx context.Context) (Order, error) {
	for {
		s, err := d.take()
		if ended(err) {
			if length := d.reader.Length(); length > 0 { // to the frame
				d.end = d.base.Add(length)
			}
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if order := d.player.until(ctx, d.base.Add(s.DTS-lead), d.session); order != "" || ctx.Err() != nil {
			d.next = &s
			return order, nil
		}
		d.feed(s)
	}
}

// take is the next sample.
func (d *deck) take() (Sample, error) {
	if d.next != nil {
		s := *d.next
		d.next = nil
		return s, nil
	}
	return d.reader.Next()
}

// feed hands on a sample.
func (d *deck) feed(s Sample) {
	at := d.base.Add(s.PTS)
	if s.Track.Kind == media.Audio {
		var sounds bool
		if at, sounds = d.sound.place(at, s.Duration); !sounds {
			return
		}
	} else {
		d.film = true
		d.remember(s)
	}
	d.any = true
	if d.film == (s.Track.Kind == media.Video) {
		d.end = max(d.end, at.Add(s.Duration))
	}
	d.write(s, at)
}

// remember keeps what a pause must give again to go on.
func (d *deck) remember(s Sample) {
	if s.Key {
		d.gop, d.bytes = d.gop[:0], 0
	}
	if d.bytes += len(s.Data); d.bytes > gopLimit {
		d.gop = nil // it goes on with the next key frame
		return
	}
	d.gop = append(d.gop, s)
}

// until waits for an instant; an order ends it, as does the end of the session.
func (p *Player) until(ctx context.Context, at media.Time, session ingest.Session) Order {
	for {
		if order := p.next(); order != "" {
			return order
		}
		wait := p.config.Clock.Until(at)
		if wait <= 0 {
			return ""
		}
		var revoked <-chan struct{}
		if r, ok := session.(ingest.Revocable); ok {
			revoked = r.Revoked()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-revoked:
			timer.Stop()
			return Cue // an operator ended it
		case <-ctx.Done():
			timer.Stop()
			return ""
		}
		timer.Stop()
	}
}
