// Package footage makes stored channels of any length in little time: a segment
// is encoded once, and stands for every segment of the timeline with its time
// stamps changed.
package footage

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/engine/pattern"
	"millrace/output/cmaf"
	"millrace/record"
)

// Rung is one size of the picture.
type Rung struct {
	ID            string
	Width, Height int
	Bitrate       int // bits per second
}

// Config says what a loop looks like.
type Config struct {
	Rate         string // an integer: every segment then has the same number of audio access units
	Rungs        []Rung
	AudioBitrate int // bits per second
	Grain        int // of the picture, 0 to 255: what fills the bitrate
}

// Loop is one encoded segment of a channel. It is immutable.
type Loop struct {
	Grid       cmaf.Grid
	Renditions []*cmaf.Rendition // the rungs, then the sound

	video [][]access // of each rung, a segment
	audio []access   // a segment
}

type access struct {
	data []byte
	key  bool
}

// New encodes a loop: a moving test picture and a tone.
func New(config Config) (*Loop, error) {
	rate, err := media.ParseRate(config.Rate)
	if err != nil {
		return nil, fmt.Errorf("make footage: %w", err)
	}
	l := &Loop{Grid: cmaf.NewGrid(rate)}
	device, err := gpu.Open("cpu")
	if err != nil {
		return nil, fmt.Errorf("make footage: %w", err)
	}
	defer device.Close()
	if err := l.encodeVideo(device, config); err != nil {
		return nil, fmt.Errorf("make footage: %w", err)
	}
	if err := l.encodeAudio(config.AudioBitrate); err != nil {
		return nil, fmt.Errorf("make footage: %w", err)
	}
	return l, nil
}

func (l *Loop) encodeVideo(device gpu.Device, config Config) error {
	shot, err := newShot(device, l.Grid.Rate, config)
	if err != nil {
		return err
	}
	defer shot.close()
	for _, rung := range config.Rungs {
		encoder, err := device.NewEncoder(gpu.EncoderConfig{
			ID: rung.ID, Size: gpu.Size{Width: rung.Width, Height: rung.Height}, Rate: l.Grid.Rate, Bitrate: rung.Bitrate,
		})
		if err != nil {
			return err
		}
		defer encoder.Close()
		shot.encoders = append(shot.encoders, encoder)
		rendition, err := cmaf.NewRendition(l.Grid, rung.ID, encoder.Track(), rung.Bitrate)
		if err != nil {
			return err
		}
		l.Renditions = append(l.Renditions, rendition)
	}
	l.video = make([][]access, len(config.Rungs))
	// A segment before the one that is kept brings the rate control to rest.
	for n := -l.Grid.SegmentFrames; n < l.Grid.SegmentFrames; n++ {
		units, err := shot.take(n, n%l.Grid.GOPFrames() == 0)
		if err != nil {
			return err
		}
		for i, unit := range units {
			if n >= 0 {
				l.video[i] = append(l.video[i], unit)
			}
		}
	}
	return nil
}

// shot is the test picture on its way to the encoders.
type shot struct {
	compositor gpu.Compositor
	whole      image.Rectangle // the canvas
	encoders   []gpu.Encoder
	frame      *gpu.Frame
	drawn      pattern.Picture
	moving     *pattern.Moving
	grain      int
	rnd        *rand.Rand
}

func newShot(device gpu.Device, rate media.Rate, config Config) (*shot, error) {
	canvas := gpu.Size{Width: config.Rungs[0].Width, Height: config.Rungs[0].Height}
	var sizes []gpu.Size
	for _, rung := range config.Rungs {
		sizes = append(sizes, gpu.Size{Width: rung.Width, Height: rung.Height})
	}
	compositor, err := device.NewCompositor(gpu.CompositorConfig{Canvas: canvas, Rungs: sizes})
	if err != nil {
		return nil, err
	}
	s := &shot{
		compositor: compositor, whole: image.Rect(0, 0, canvas.Width, canvas.Height), moving: pattern.NewMoving(1, "FOOTAGE", rate),
		grain: config.Grain, rnd: rand.New(rand.NewPCG(1, 2)),
	}
	if s.frame, err = device.NewFrame(gpu.Size{Width: pattern.Width, Height: pattern.Height}); err != nil {
		compositor.Close()
		return nil, err
	}
	s.drawn = pattern.Picture{Width: pattern.Width, Height: pattern.Height}
	s.drawn.Y, s.drawn.YStride = s.frame.Plane(0)
	s.drawn.U, s.drawn.CStride = s.frame.Plane(1)
	s.drawn.V, _ = s.frame.Plane(2)
	return s, nil
}

func (s *shot) close() {
	s.frame.Release()
	s.compositor.Close()
}

// take encodes frame n of the loop for every rung.
func (s *shot) take(n int64, key bool) ([]access, error) {
	s.moving.Begin(s.drawn)
	s.moving.Draw(s.drawn, n+1<<20)
	if s.grain > 0 {
		for i := 0; i < len(s.drawn.Y); i += 4 {
			s.drawn.Y[i] = uint8(max(16, min(235, int(s.drawn.Y[i])+s.rnd.IntN(s.grain)-s.grain/2)))
		}
	}
	composition, err := s.compositor.Compose([]gpu.Layer{{Frame: s.frame, Dst: s.whole, Opacity: 1}}, gpu.Black())
	if err != nil {
		return nil, err
	}
	defer composition.Release()
	var units []access
	for i, encoder := range s.encoders {
		unit, err := encoder.Encode(composition.Rungs[i], n+1<<20, key)
		if err != nil {
			return nil, err
		}
		units = append(units, access{bytes.Clone(unit.Data), unit.Key})
	}
	return units, nil
}

// toneHz goes through whole periods in an access unit's 1024 samples, so that the
// loop does not click.
const toneHz = 8 * audio.Hz / audio.AACUnit

func (l *Loop) encodeAudio(bitrate int) error {
	encoder, err := audio.NewEncoder("audio", audio.AAC(bitrate), 0, 0)
	if err != nil {
		return err
	}
	defer encoder.Close()
	rendition, err := cmaf.NewRendition(l.Grid, "audio", encoder.Track(), bitrate)
	if err != nil {
		return err
	}
	l.Renditions = append(l.Renditions, rendition)
	units := rendition.FirstUnit(1, 0) - rendition.FirstUnit(0, 0)
	block := audio.NewBlock(int(2*units+4) * audio.AACUnit)
	for i := range block.Len() {
		v := float32(0.2 * math.Sin(2*math.Pi*toneHz*float64(i)/audio.Hz))
		block[0][i], block[1][i] = v, v
	}
	return encoder.Write(block, func(i int64, data []byte) {
		if i >= units && i < 2*units {
			l.audio = append(l.audio, access{bytes.Clone(data), true})
		}
	})
}

// Layout is what a store is told of the loop.
func (l *Loop) Layout() record.Layout {
	return record.Layout{Grid: l.Grid, Renditions: l.Renditions}
}

// WritePart writes the packets of a part of segment k, frame by frame.
func (l *Loop) WritePart(sink media.Sink, k int64, part int) {
	for i, r := range l.Renditions {
		units := l.audio
		if i < len(l.video) {
			units = l.video[i]
		}
		first := r.FirstUnit(k, 0)
		for n := r.FirstUnit(k, part); n < r.FirstUnit(k, part+1); n++ {
			unit := units[int(n-first)%len(units)]
			at := r.Time(n * r.UnitTicks())
			sink.Write(&media.Packet{Track: r.Track, PTS: at, DTS: at, Key: unit.key, Data: unit.data})
		}
	}
}

// WriteSegment writes the packets of a whole segment.
func (l *Loop) WriteSegment(sink media.Sink, k int64) {
	for part := range l.Grid.Parts() {
		l.WritePart(sink, k, part)
	}
}

// fillAhead is how many segments are given to a store before they are waited for.
const fillAhead = 8

// Fill stores segments [from, to). The store runs.
func (l *Loop) Fill(ctx context.Context, store *record.Store, from, to int64) error {
	packager := cmaf.NewPackager(l.Renditions, store.Append)
	for k := from; k < to; k++ {
		l.WriteSegment(packager, k)
		if k-from >= fillAhead || k == to-1 {
			wait := k - fillAhead
			if k == to-1 {
				wait = k
			}
			if err := l.Await(ctx, store, wait, l.Grid.Parts()-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// Await waits until a part is listed in every rendition.
func (l *Loop) Await(ctx context.Context, store *record.Store, segment int64, part int) error {
	for {
		edge := store.Edge()
		if l.listed(edge, segment, part) {
			return nil
		}
		select {
		case <-edge.Changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for part %d of segment %d: %w", part, segment, ctx.Err())
		}
	}
}

func (l *Loop) listed(edge *record.Edge, segment int64, part int) bool {
	for _, r := range l.Renditions {
		listing := edge.Listing(r.ID)
		if listing == nil {
			return false
		}
		if k, p := listing.Newest(); k < segment || k == segment && p < part {
			return false
		}
	}
	return true
}
