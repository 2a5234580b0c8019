package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"millrace/gpu"
	"millrace/gpu/monitor"
)

// busyEncoder is the share of NVENC at which a card is called full.
const busyEncoder = 0.8

// density is gpu-density: how many shows of four inputs and four rungs a card carries
// in real time.
type density struct {
	load  load
	most  int // shows
	ticks int // that each number of shows is held for
	// busy is the share of NVENC's time that is used; an error says why it is not known.
	busy func() (float64, error)
}

// densityResult is what it reports.
type densityResult struct {
	shows   int     // carried without a missed tick
	encoder float64 // share of NVENC with those; 0 is not known
	limit   string  // what stopped one more
	encoded int     // pictures in all
}

// run opens one show after the other until the card is full.
func (d density) run(device gpu.Device, clips []*clip) (r densityResult, err error) {
	s := &studio{device: device, rate: pictureRate(), load: d.load}
	defer s.close()
	for n := 1; n <= d.most; n++ {
		if err := s.add(clips, true); err != nil {
			if n == 1 {
				return r, err
			}
			r.limit = "one more does not open: " + err.Error()
			return r, nil
		}
		got, busy, err := d.play(s)
		if err != nil {
			return r, fmt.Errorf("play %d shows: %w", n, err)
		}
		r.encoded += got.encoded
		if got.missed > 0 {
			r.limit = fmt.Sprintf("with %d shows %d of %d ticks were late", n, got.missed, got.ticks)
			return r, nil
		}
		r.shows, r.encoder = n, busy
		if busy >= busyEncoder {
			r.limit = fmt.Sprintf("NVENC is used for %.0f %%", 100*busy)
			return r, nil
		}
	}
	r.limit = "no more were tried"
	return r, nil
}

// play holds the shows for a while, and looks at NVENC when three quarters are over.
func (d density) play(s *studio) (got paced, busy float64, err error) {
	var playing sync.WaitGroup
	var playErr error
	playing.Go(func() { got, playErr = s.pace(d.ticks) })
	time.Sleep(time.Duration(d.ticks) * s.rate.Interval() * 3 / 4)
	busy, err = d.busy()
	playing.Wait()
	if playErr != nil {
		err = playErr
	}
	return got, busy, err
}

// encoderOf reads from NVML how busy the encoders of a card are.
func encoderOf(bus string) (busy func() (float64, error), done func(), err error) {
	m, err := monitor.Open(nvml.New())
	if err != nil {
		return nil, nil, err
	}
	return func() (float64, error) {
		for _, card := range m.Sample().Cards {
			if card.Bus == bus {
				return card.Encoder, nil
			}
		}
		return 0, fmt.Errorf("NVML does not know the card %s", bus)
	}, m.Close, nil
}
