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

	"millrace/benchmarks/testmedia"
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
	Grain        int // of the moving test picture, 0 to 255: what fills the bitrate
	// Scene is what is shown in the size of the first rung; empty is the appliance's
	// moving test picture.
	Scene testmedia.Scene
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
	paint      func(n int64)
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
	s := &shot{compositor: compositor, whole: image.Rect(0, 0, canvas.Width, canvas.Height)}
	if config.Scene == "" {
		err = s.showMoving(device, rate, config.Grain)
	} else {
		err = s.showScene(device, rate, canvas, config.Scene)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// loopFirst is the counter of the first frame of a loop's test picture.
const loopFirst = 1 << 20

func (s *shot) showMoving(device gpu.Device, rate media.Rate, grain int) error {
	drawn, err := s.picture(device, gpu.Size{Width: pattern.Width, Height: pattern.Height})
	if err != nil {
		return err
	}
	moving, rnd := pattern.NewMoving(1, "FOOTAGE", rate), rand.New(rand.NewPCG(1, 2))
	s.paint = func(n int64) {
		moving.Begin(drawn)
		moving.Draw(drawn, n+loopFirst)
		for i := 0; grain > 0 && i < len(drawn.Y); i += 4 {
			drawn.Y[i] = uint8(max(16, min(235, int(drawn.Y[i])+rnd.IntN(grain)-grain/2)))
		}
	}
	return nil
}

func (s *shot) showScene(device gpu.Device, rate media.Rate, size gpu.Size, scene testmedia.Scene) error {
	grid := cmaf.NewGrid(rate)
	painter, err := testmedia.NewPainter(testmedia.Clip{
		Scene: scene, Width: size.Width, Height: size.Height, Rate: rate, Frames: 2 * grid.SegmentFrames, Seed: 1,
	})
	if err != nil {
		return err
	}
	drawn, err := s.picture(device, size)
	if err != nil {
		return err
	}
	s.paint = func(n int64) { painter.Draw(drawn, n+grid.SegmentFrames) }
	return nil
}

// picture makes the shot's frame, and gives its planes.
func (s *shot) picture(device gpu.Device, size gpu.Size) (p pattern.Picture, err error) {
	if s.frame, err = device.NewFrame(size); err != nil {
		return p, err
	}
	p = pattern.Picture{Width: size.Width, Height: size.Height}
	p.Y, p.YStride = s.frame.Plane(0)
	p.U, p.CStride = s.frame.Plane(1)
	p.V, _ = s.frame.Plane(2)
	return p, nil
}

func (s *shot) close() {
	if s.frame != nil {
		s.frame.Release()
	}
	s.compositor.Close()
}

// take encodes frame n of the loop for every rung.
func (s *shot) take(n int64, key bool) ([]access, error) {
	s.paint(n)
	composition, err := s.compositor.Compose([]gpu.Layer{{Frame: s.frame, Dst: s.whole, Opacity: 1}}, gpu.Black())
	if err != nil {
		return nil, err
	}
	defer composition.Release()
	var units []access
	for i, encoder := range s.encoders {
		unit, err := encoder.Encode(composition.Rungs[i], n+loopFirst, key)
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
