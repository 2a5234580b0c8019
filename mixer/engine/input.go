package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

const (
	farAhead    = 30 * time.Second       // a packet due later than this is a broken timestamp
	soundAhead  = time.Second            // decoded sound that waits for its tick
	fresh       = 500 * time.Millisecond // a picture or sound older than this is held or lost
	shortHold   = 200 * time.Millisecond // the least that a picture is held: sources have slow frame rates too
	errorsCount = 2 * time.Second        // a source is degraded that long after damage
)

// Input decodes one source whose packets arrive from outside. Write and End
// come from one goroutine, Run is another and keeps a decoder each for pictures
// and sound, and the tick asks what is on screen.
type Input struct {
	id     string
	device gpu.Device
	clock  *media.Clock
	log    *slog.Logger

	video, sound *queue
	arrivals     arrivals // of video
	way          way
	pictures     *pictures
	ring         *audio.Ring

	decodeErrors atomic.Uint64
	late         atomic.Uint64 // packets with unusable time
	damaged      atomic.Int64  // tick of the newest damage, channel time
	logged       atomic.Int64  // channel time of the newest log line
}

// ringLength holds sound ahead of the tick, the longest delay, and a margin.
const ringLength = audio.Hz * int64(soundAhead+maxDelay+time.Second) / int64(time.Second)

// maxDelay is the longest delay of a source's sound.
const maxDelay = 3 * time.Second

// NewInput has nothing on screen. rate is that of the ticks.
func NewInput(id string, device gpu.Device, rate media.Rate, clock *media.Clock, log *slog.Logger) *Input {
	return &Input{
		id: id, device: device, clock: clock, log: log.With("source", id),
		video: newQueue(), sound: newQueue(),
		pictures: newPictures(rate.Interval()), ring: audio.NewRing(int(ringLength)),
	}
}

// Write takes one packet on the channel timeline and never blocks.
func (in *Input) Write(p *media.Packet) {
	switch p.Track.Kind {
	case media.Video:
		now := in.clock.Now()
		in.arrivals.add(arrival{p.PTS, now, p.Stamp})
		in.way.arrived(p, now)
		in.video.put(p)
	case media.Audio:
		in.sound.put(p)
	}
}

// End says that the publisher is gone: what was sent is shown and heard to its
// end.
func (in *Input) End() {
	in.video.end()
	in.sound.end()
}

// begin sets the first tick, before Run.
func (in *Input) begin(t media.Time) { in.pictures.begin(t) }

// Run decodes until the context ends and releases every picture.
func (in *Input) Run(ctx context.Context) {
	defer in.pictures.release()
	var both sync.WaitGroup
	both.Go(func() { in.decodePictures(ctx) })
	both.Go(func() { in.decodeSound(ctx) })
	both.Wait()
}

func (in *Input) decodePictures(ctx context.Context) {
	var decoder gpu.Decoder
	var refused *media.Track // a track that this machine cannot decode
	defer func() {
		if decoder != nil {
			decoder.Close()
		}
	}()
	for in.pictures.wait(ctx) == nil {
		p, err := in.video.take(ctx, in.pictures.present)
		if err != nil {
			return
		}
		if p == nil {
			if decoder != nil {
				decoder.Drain(in.decoded)
			}
			continue
		}
		if p.Track == refused || !in.timely(p) {
			continue
		}
		if decoder == nil {
			decoder, err = in.device.NewDecoder(p.Track)
		}
		if err == nil {
			before := decoder.Stats()
			err = decoder.Decode(p, in.decoded)
			in.countDamage(before, decoder.Stats())
		}
		if err != nil {
			refused = p.Track
			in.fault(err)
		}
	}
}

func (in *Input) decodeSound(ctx context.Context) {
	feed := audio.NewFeed(in.ring)
	defer feed.Close()
	var refused *media.Track // a track that this machine cannot decode
	for {
		p, err := in.sound.take(ctx, in.pictures.present)
		if err != nil {
			return
		}
		if p == nil || p.Track == refused || !in.timely(p) {
			continue
		}
		for p.PTS > in.pictures.present().Add(soundAhead) {
			if err := in.pictures.nextTick(ctx); err != nil {
				return
			}
		}
		if err := feed.Write(p); err != nil {
			if errors.Is(err, audio.ErrTrack) {
				refused = p.Track
			}
			in.fault(err)
		}
	}
}

// decoded takes over a picture of the decoder's.
func (in *Input) decoded(f *gpu.Frame) {
	now := in.clock.Now()
	from, known := in.arrivals.of(f.PTS)
	if known && f.PTS > now.Add(-fresh) {
		in.way.decode.Add(now, now.Sub(from.at))
	}
	in.pictures.put(picture{f, from.stamp, now})
}

// timely refuses packets whose time would hold up all that follow.
func (in *Input) timely(p *media.Packet) bool {
	if p.PTS <= in.pictures.present().Add(farAhead) {
		return true
	}
	in.late.Add(1)
	return false
}

func (in *Input) countDamage(before, after gpu.DecoderStats) {
	in.decodeErrors.Add(uint64(after.Errors - before.Errors))
	if after.Errors > before.Errors || after.Damaged > before.Damaged {
		in.damaged.Store(int64(in.pictures.present()))
	}
}

// fault counts a decoder's error and logs at most one a second.
func (in *Input) fault(err error) {
	in.decodeErrors.Add(1)
	now := int64(in.pictures.present())
	in.damaged.Store(now)
	if last := in.logged.Load(); last == 0 || now-last >= int64(time.Second) {
		in.logged.Store(now)
		in.log.Warn("source does not decode", "err", err)
	}
}

// show gives the picture on screen at t, nil for the slate, and its state. The
// caller owns the reference.
func (in *Input) show(t media.Time, hold time.Duration) (picture, worker.SourceReport) {
	report := worker.SourceReport{
		State:        worker.Idle,
		Frames:       in.pictures.total(),
		Dropped:      in.video.drops() + in.sound.drops() + in.late.Load(),
		DecodeErrors: in.decodeErrors.Load(),
	}
	end := media.TimeOfTicks(in.ring.End(), audio.Hz)
	heard := end > t.Add(-fresh)
	damaged := t.Sub(media.Time(in.damaged.Load())) < errorsCount
	frame := in.pictures.at(t)
	switch {
	case frame.Frame == nil && in.ring.End() == 0:
		if report.DecodeErrors > 0 {
			report.State = worker.Lost
		}
	case frame.Frame == nil && heard && report.Frames == 0:
		report.State = worker.Live // sound without pictures
	case frame.Frame == nil:
		report.State = worker.Lost
	case t.Sub(frame.PTS) > max(hold, shortHold):
		frame.Release()
		frame = picture{}
		report.State = worker.Lost
	case t.Sub(frame.PTS) > fresh:
		report.State, report.Held = worker.Degraded, true
	case damaged:
		report.State = worker.Degraded
	default:
		report.State = worker.Live
	}
	if frame.Frame == nil {
		report.Slate = true
	} else {
		report.Width, report.Height = frame.Size.Width, frame.Size.Height
	}
	return frame, report
}
