package gpu

import (
	"fmt"
	"image"
	"slices"
	"sync"
	"time"
)

// Spread is how long something took, many times.
type Spread struct{ Median, P99, Most time.Duration }

// spreadOf sorts times.
func spreadOf(times []time.Duration) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	slices.Sort(times)
	return Spread{times[len(times)/2], times[(len(times)-1)*99/100], times[len(times)-1]}
}

// MeasureSubmission says how long a tick keeps its goroutine on a card: from Compose
// being called to its launch being queued, of four pictures in a grid with a ladder.
// Every tick uploads that many other pictures of the same size at once, each on a
// goroutine of its own as decoders do. driver is OpenWith's.
func MeasureSubmission(driver, name string, size Size, ticks, uploads int, every time.Duration) (Spread, error) {
	opened, err := OpenWith(name, driver)
	if err != nil {
		return Spread{}, err
	}
	defer opened.Close()
	d, ok := opened.(*cudaDevice)
	if !ok {
		return Spread{}, fmt.Errorf("%s is no card", name)
	}
	s := &submission{device: d}
	defer s.close()
	if err := s.prepare(size, uploads); err != nil {
		return Spread{}, err
	}
	var times []time.Duration
	const warm = 5
	for n := range ticks + warm {
		took, err := s.tick(n)
		if err != nil {
			return Spread{}, err
		}
		if n >= warm {
			times = append(times, took)
		}
		time.Sleep(every)
	}
	return spreadOf(times), nil
}

// submission is the load of MeasureSubmission.
type submission struct {
	device     *cudaDevice
	compositor Compositor
	shows      [2][]Layer // in turn, so that every tick draws
	sources    []*Frame
	others     []*Frame // that go up
}

func (s *submission) prepare(size Size, uploads int) (err error) {
	rungs := []Size{size}
	for _, share := range []int{3, 2} { // of four: three quarters, a half
		rungs = append(rungs, Size{size.Width * share / 4 &^ 1, size.Height * share / 4 &^ 1})
	}
	if s.compositor, err = s.device.NewCompositor(CompositorConfig{Canvas: size, Rungs: rungs}); err != nil {
		return err
	}
	cell := image.Pt(size.Width/4*2, size.Height/4*2)
	for n := range 8 {
		f, err := s.device.NewFrame(size)
		if err != nil {
			return err
		}
		s.sources = append(s.sources, f)
		f.drawProof(n)
		corner := image.Pt(n%2*cell.X, n/2%2*cell.Y)
		s.shows[n/4] = append(s.shows[n/4], Layer{Frame: f, Dst: image.Rectangle{Min: corner, Max: corner.Add(cell)}, Opacity: 1})
	}
	for range uploads {
		f, err := s.device.NewFrame(size)
		if err != nil {
			return err
		}
		s.others = append(s.others, f)
	}
	return nil
}

// tick composes once while the others go up.
func (s *submission) tick(n int) (took time.Duration, err error) {
	failures := make([]error, len(s.others))
	var going sync.WaitGroup
	for i, f := range s.others {
		f.Rewrite()
		going.Go(func() { _, failures[i] = s.device.onCard(f) })
	}
	begin := time.Now()
	composition, err := s.compositor.Compose(s.shows[n%2], Black())
	took = time.Since(begin)
	if err == nil {
		err = composition.Canvas.tick.wait(s.device.patience)
		composition.Release()
	}
	going.Wait()
	for _, failure := range failures {
		if err == nil {
			err = failure
		}
	}
	return took, err
}

func (s *submission) close() {
	if s.compositor != nil {
		s.compositor.Close()
	}
	releaseAll(s.sources)
	releaseAll(s.others)
}
