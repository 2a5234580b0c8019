package engine

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// The multiview's encoding: one picture of everything, cheap, and only while
// somebody looks.
const (
	multiviewRate    = 15 // pictures a second, about
	multiviewBitrate = 1_500_000
	multiviewPreset  = "ultrafast"
	multiviewKeys    = 4 * time.Second // between IDRs that nobody asked for
)

// multiviewSize is that of the picture.
var multiviewSize = gpu.Size{Width: worker.MultiviewWidth, Height: worker.MultiviewHeight}

// multiview composes preview, program and the sources on some of the ticks, and
// encodes them on a goroutine of its own. A tick never waits for it: a picture
// that the encoder has no time for is left out.
type multiview struct {
	device gpu.Device
	rate   media.Rate // of its pictures
	every  int64      // ticks from one picture to the next
	track  *media.Track
	emit   func(*media.Packet)
	log    *slog.Logger

	watched atomic.Bool
	wanted  atomic.Bool // an IDR

	compositor gpu.Compositor // of the tick; nil while nobody looks
	shots      chan viewShot
}

// viewShot is a picture for the encoder; without one it closes.
type viewShot struct {
	picture *gpu.Frame // owned
	frame   int64      // at the multiview's rate
}

// newMultiview describes the encoder, which is open for nothing else here.
func newMultiview(device gpu.Device, rate media.Rate, emit func(*media.Packet), log *slog.Logger) (*multiview, error) {
	every := max((rate.Num+multiviewRate*rate.Den/2)/(multiviewRate*rate.Den), 1)
	m := &multiview{
		device: device, rate: media.Rate{Num: rate.Num, Den: rate.Den * every}, every: every, emit: emit, log: log,
		shots: make(chan viewShot, 1),
	}
	encoder, err := m.open()
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	m.track = encoder.Track()
	return m, nil
}

func (m *multiview) open() (gpu.Encoder, error) {
	encoder, err := m.device.NewEncoder(gpu.EncoderConfig{
		ID: worker.MultiviewID, Size: multiviewSize, Rate: m.rate, Bitrate: multiviewBitrate, Preset: multiviewPreset, Threads: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("open multiview: %w", err)
	}
	return encoder, nil
}

// due reports whether tick n has a picture.
func (m *multiview) due(n int64) bool { return m.watched.Load() && n%m.every == 0 }

// compose draws tick n, if it is one with a picture, and hands it to the
// encoder. The program goes on without.
func (m *multiview) compose(n int64, d *desk, program *gpu.Frame) {
	if err := m.draw(n, d, program); err != nil {
		m.fail(err)
	}
}

func (m *multiview) draw(n int64, d *desk, program *gpu.Frame) error {
	if !m.watched.Load() {
		if m.compositor != nil {
			m.compositor.Close()
			m.compositor = nil
			m.put(viewShot{})
		}
		return nil
	}
	if n%m.every != 0 {
		return nil
	}
	if m.compositor == nil {
		var err error
		if m.compositor, err = m.device.NewCompositor(gpu.CompositorConfig{Canvas: multiviewSize}); err != nil {
			return fmt.Errorf("make multiview: %w", err)
		}
	}
	composition, err := m.compositor.Compose(d.tiles(program), gpu.RGB(20, 23, 28))
	if err != nil {
		return fmt.Errorf("compose multiview: %w", err)
	}
	m.put(viewShot{composition.Canvas, n / m.every})
	return nil
}

// put hands a shot over in place of one that was not taken.
func (m *multiview) put(s viewShot) {
	for {
		select {
		case m.shots <- s:
			return
		default:
		}
		select {
		case old := <-m.shots:
			old.release()
		default:
		}
	}
}

func (s viewShot) release() {
	if s.picture != nil {
		s.picture.Release()
	}
}

// run encodes until there are no more shots.
func (m *multiview) run() {
	var encoder gpu.Encoder
	var keyed media.Time
	for s := range m.shots {
		if s.picture == nil {
			if encoder != nil {
				encoder.Close()
				encoder = nil
			}
			continue
		}
		var err error
		if encoder == nil {
			encoder, err = m.open()
		}
		pts := m.rate.At(s.frame)
		if err == nil {
			key := m.wanted.Swap(false) || pts.Sub(keyed) >= multiviewKeys
			if key {
				keyed = pts
			}
			err = m.encode(encoder, s, key)
		}
		s.release()
		if err != nil {
			m.fail(err)
		}
	}
	if encoder != nil {
		encoder.Close()
	}
}

// fail gives up until it is watched anew.
func (m *multiview) fail(err error) {
	m.log.Warn("multiview has no picture", "err", err)
	m.watched.Store(false)
}

func (m *multiview) encode(encoder gpu.Encoder, s viewShot, key bool) error {
	unit, err := encoder.Encode(s.picture, s.frame, key)
	if err != nil {
		return fmt.Errorf("encode multiview: %w", err)
	}
	pts := m.rate.At(s.frame)
	m.emit(&media.Packet{Track: m.track, PTS: pts, DTS: pts, Duration: m.rate.Interval(), Key: unit.Key, Data: unit.Data})
	return nil
}

// close ends the tick's part; run returns then.
func (m *multiview) close() {
	if m.compositor != nil {
		m.compositor.Close()
		m.compositor = nil
	}
	close(m.shots)
}

// tiles gives the multiview's layers.
func (d *desk) tiles(program *gpu.Frame) []gpu.Layer {
	ids := make([]string, 0, len(d.show.Sources))
	for _, s := range d.show.Sources {
		ids = append(ids, s.ID)
	}
	small := worker.Canvas{Width: multiviewSize.Width, Height: multiviewSize.Height}
	var layers []gpu.Layer
	for _, tile := range scene.Multiview(ids, d.show.Canvas.Width, d.show.Canvas.Height) {
		switch tile.Kind {
		case scene.TileProgram:
			layers = append(layers, gpu.Layer{Frame: program, Dst: tile.Rect.Pixels(small.Width, small.Height), Fit: gpu.Fill, Opacity: 1})
		case scene.TilePreview:
			for _, p := range labelled(d.placements(d.preview)) {
				layers = d.placeIn(layers, p, tile.Rect, small)
			}
		case scene.TileSource:
			layers = d.place(layers, scene.Placement{Source: tile.Source, Rect: tile.Rect, Fit: scene.Contain, Opacity: 1}, small)
		}
	}
	return layers
}
