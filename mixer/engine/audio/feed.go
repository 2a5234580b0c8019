package audio

import (
	"errors"
	"fmt"
	"time"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// Feed decodes one source's sound and puts it in its place in a Ring. A new
// track pointer is a new decoder; a new sample rate or channel layout inside a
// track is a new resampler. One goroutine.
type Feed struct {
	ring      *Ring
	track     *media.Track
	decoder   unitDecoder // nil until a track opened
	resampler *resampler
	align     aligner
	end       media.Time // where the newest frame without its own PTS would begin
}

// NewFeed writes to ring.
func NewFeed(ring *Ring) *Feed { return &Feed{ring: ring} }

// ErrTrack says that a track cannot be decoded at all.
var ErrTrack = errors.New("track cannot be decoded")

// Write decodes one access unit. An error concerns this access unit only,
// unless it is ErrTrack.
func (f *Feed) Write(p *media.Packet) error {
	if p.Track != f.track {
		f.Close()
		f.track = p.Track
		decoder, err := newDecoder(p.Track)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTrack, err)
		}
		f.decoder = decoder
	}
	if f.decoder == nil {
		return fmt.Errorf("%w: %q has no decoder", ErrTrack, p.Track.ID)
	}
	f.end = p.PTS.Add(-f.decoder.hole(p))
	return f.decoder.decode(p, f.place)
}

// place resamples one frame to its position on the grid.
func (f *Feed) place(frame *astiav.Frame) error {
	if frame.SampleRate() < 1000 || frame.SampleRate() > 768000 || frame.NbSamples() <= 0 {
		return fmt.Errorf("decode audio: %d samples at %d Hz", frame.NbSamples(), frame.SampleRate())
	}
	pts := f.end
	f.end = pts.Add(time.Duration(frame.NbSamples()) * time.Second / time.Duration(frame.SampleRate()))
	if f.resampler != nil && !f.resampler.matches(frame) {
		f.drain()
	}
	if f.resampler == nil {
		resampler, err := newResampler(frame)
		if err != nil {
			return err
		}
		f.resampler = resampler
	}
	should := pts.Ticks(Hz) - f.resampler.pending()
	length := frame.NbSamples() * Hz / frame.SampleRate()
	stretch, jump := f.align.steer(should, f.ring.End(), length)
	if jump && f.resampler.pending() > 0 { // what is inside belongs to the old place
		f.drain()
		return f.restart(frame, pts)
	}
	if err := f.resampler.bend(stretch); err != nil {
		return err
	}
	return f.put(frame, should, jump)
}

// restart puts a frame where it belongs with a resampler that is empty.
func (f *Feed) restart(frame *astiav.Frame, pts media.Time) error {
	resampler, err := newResampler(frame)
	if err != nil {
		return err
	}
	f.resampler = resampler
	return f.put(frame, pts.Ticks(Hz), true)
}

// put resamples one frame to the ring's end or, on a jump, to a position.
func (f *Feed) put(frame *astiav.Frame, at int64, jump bool) error {
	samples, err := f.resampler.convert(frame)
	if err != nil || samples.Len() == 0 {
		return err
	}
	if !jump {
		at = f.ring.End()
	} else {
		samples[0][0] = absent // the voice fades around it
	}
	f.ring.Write(at, samples)
	return nil
}

// drain writes what the resampler holds and ends it.
func (f *Feed) drain() {
	if samples, err := f.resampler.convert(nil); err == nil && samples.Len() > 0 {
		f.ring.Write(f.ring.End(), samples)
	}
	f.resampler.close()
	f.resampler = nil
}

// Close ends decoder and resampler; another Write begins anew.
func (f *Feed) Close() {
	if f.resampler != nil {
		f.drain()
	}
	if f.decoder != nil {
		f.decoder.close()
		f.decoder = nil
	}
	f.track = nil
}
