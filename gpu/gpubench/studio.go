package main

import (
	"image"
	"sync"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
)

// input decodes one stream. Its newest picture can be taken at any time.
type input struct {
	clip    *clip
	rate    media.Rate
	decoder gpu.Decoder
	next    int64

	mu     sync.Mutex
	newest *gpu.Frame
}

// decode takes the next access unit of the stream, and gives every picture to show.
func (in *input) decode(show func(*gpu.Frame)) error {
	packet := in.clip.packet(in.next, in.rate)
	in.next++
	return in.decoder.Decode(packet, show)
}

// put makes a picture the newest.
func (in *input) put(f *gpu.Frame) {
	in.mu.Lock()
	old := in.newest
	in.newest = f
	in.mu.Unlock()
	if old != nil {
		old.Release()
	}
}

// look is the newest picture, with a reference for the caller; nil before the first.
func (in *input) look() *gpu.Frame {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.newest == nil {
		return nil
	}
	return in.newest.Retain()
}

// show is four inputs in a grid, with a ladder.
type show struct {
	inputs     []*input
	compositor gpu.Compositor
	canvas     gpu.Size
	encoders   []gpu.Encoder // none: it is composed only
}

// compose draws the inputs' newest pictures; the composition is the caller's.
func (s *show) compose() (gpu.Composition, error) {
	var layers []gpu.Layer
	cell := image.Pt(s.canvas.Width/2, s.canvas.Height/2)
	for i, in := range s.inputs {
		f := in.look()
		if f == nil {
			continue
		}
		defer f.Release()
		corner := image.Pt(i%2*cell.X, i/2*cell.Y)
		layers = append(layers, gpu.Layer{Frame: f, Dst: image.Rectangle{Min: corner, Max: corner.Add(cell)}, Fit: gpu.Fill, Opacity: 1})
	}
	return s.compositor.Compose(layers, gpu.Black())
}

// studio is shows on one device.
type studio struct {
	device gpu.Device
	rate   media.Rate
	load   load
	shows  []*show
}

func sizeOf(s shape) gpu.Size { return gpu.Size{Width: s.w, Height: s.h} }

// add opens one more show of four inputs, with encoders where it shall be encoded.
func (s *studio) add(clips []*clip, encode bool) error {
	added := &show{canvas: sizeOf(s.load.ladder[0])}
	s.shows = append(s.shows, added)
	config := gpu.CompositorConfig{Canvas: added.canvas}
	for _, rung := range s.load.ladder {
		config.Rungs = append(config.Rungs, sizeOf(rung))
	}
	var err error
	if added.compositor, err = s.device.NewCompositor(config); err != nil {
		return err
	}
	for i := range 4 {
		in := &input{clip: clips[i%len(clips)], rate: s.rate}
		if in.decoder, err = s.device.NewDecoder(in.clip.track); err != nil {
			return err
		}
		added.inputs = append(added.inputs, in)
	}
	if !encode {
		return nil
	}
	for _, rung := range config.Rungs {
		encoder, err := s.device.NewEncoder(gpu.EncoderConfig{
			ID: rung.String(), Size: rung, Rate: s.rate, Bitrate: 5_000_000 * rung.Width * rung.Height / (1920 * 1080), Threads: 1,
		})
		if err != nil {
			return err
		}
		added.encoders = append(added.encoders, encoder)
	}
	return nil
}

func (s *studio) inputs() (all []*input) {
	for _, show := range s.shows {
		all = append(all, show.inputs...)
	}
	return all
}

func (s *studio) close() {
	for _, show := range s.shows {
		for _, in := range show.inputs {
			in.put(nil)
			in.decoder.Close()
		}
		for _, encoder := range show.encoders {
			encoder.Close()
		}
		if show.compositor != nil {
			show.compositor.Close()
		}
	}
	s.shows = nil
}

// each runs a function for all of a list at once and gives the first failure.
func each[T any](list []T, run func(T) error) error {
	failures := make([]error, len(list))
	var all sync.WaitGroup
	for i, item := range list {
		all.Go(func() { failures[i] = run(item) })
	}
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// flatOut decodes so many pictures of every input as fast as they come, and composes
// every show as often where compose is set.
func (s *studio) flatOut(pictures int, compose bool) (took time.Duration, err error) {
	begin := time.Now()
	err = each(s.shows, func(show *show) error {
		for range pictures {
			if err := each(show.inputs, func(in *input) error { return in.decode(in.put) }); err != nil {
				return err
			}
			if !compose {
				continue
			}
			composition, err := show.compose()
			if err != nil {
				return err
			}
			composition.Release()
		}
		return nil
	})
	return time.Since(begin), err
}

// paced is what real time asked of the studio.
type paced struct {
	ticks, missed int // missed: ended after the next was due
	encoded       int
}

// pace plays so many ticks in real time: inputs decode their pictures as they would
// arrive, shows compose at every tick, each rung is encoded on a goroutine of its own.
func (s *studio) pace(ticks int) (paced, error) {
	start := time.Now()
	due := func(n int) time.Time {
		return start.Add(time.Duration(n) * time.Duration(float64(time.Second)*float64(s.rate.Den)/float64(s.rate.Num)))
	}
	var inputs sync.WaitGroup
	var inputsErr error
	inputs.Go(func() {
		inputsErr = each(s.inputs(), func(in *input) error {
			for n := range ticks {
				time.Sleep(time.Until(due(n)))
				if err := in.decode(in.put); err != nil {
					return err
				}
			}
			return nil
		})
	})
	var mu sync.Mutex
	var sum paced
	err := each(s.shows, func(show *show) error {
		got, err := show.pace(ticks, due)
		mu.Lock()
		defer mu.Unlock()
		sum.ticks, sum.missed, sum.encoded = sum.ticks+got.ticks, sum.missed+got.missed, sum.encoded+got.encoded
		return err
	})
	inputs.Wait()
	if err == nil {
		err = inputsErr
	}
	return sum, err
}

// pace runs one show's ticks.
func (s *show) pace(ticks int, due func(int) time.Time) (got paced, err error) {
	var encoding sync.WaitGroup
	failures, counts := make([]error, len(s.encoders)), make([]int, len(s.encoders))
	queues := make([]chan *gpu.Frame, len(s.encoders))
	for i, encoder := range s.encoders {
		queues[i] = make(chan *gpu.Frame, 8)
		encoding.Go(func() { counts[i], failures[i] = encodeAll(encoder, queues[i]) })
	}
	for n := range ticks {
		time.Sleep(time.Until(due(n)))
		composition, composing := s.compose()
		if err = composing; err != nil {
			break
		}
		for i, queue := range queues {
			queue <- composition.Rungs[i].Retain()
		}
		composition.Release()
		got.ticks++
		if time.Now().After(due(n + 1)) {
			got.missed++
		}
	}
	for _, queue := range queues {
		close(queue)
	}
	encoding.Wait()
	for i := range failures {
		got.encoded += counts[i]
		if err == nil {
			err = failures[i]
		}
	}
	return got, err
}

// encodeAll encodes what comes; after a failure it only gives it back.
func encodeAll(encoder gpu.Encoder, pictures <-chan *gpu.Frame) (count int, err error) {
	for f := range pictures {
		if err == nil {
			_, err = encoder.Encode(f, int64(count), count%60 == 0)
			count++
		}
		f.Release()
	}
	return count, err
}
