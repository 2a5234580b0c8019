package main

import (
	"fmt"
	"syscall"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
)

// decodeCompose is gpu-decode-compose: shows of four H.264 inputs each, decoded on the
// card and composed, not encoded.
type decodeCompose struct {
	shows   int
	load    load
	unpaced int // pictures of each input
	ticks   int // in real time
}

// decodeComposeResult is what it reports.
type decodeComposeResult struct {
	inputs, shows int
	decodeOnly    float64 // pictures a second of all inputs together
	withShows     float64 // the same while every show composes
	paced         paced
	cores         float64 // CPU time over time, in real time
	perInput      int64   // bytes of the card's memory
}

// pictureRate is that of every input and show.
func pictureRate() media.Rate { return media.Rate{Num: 30, Den: 1} }

// run opens the studio once for each of its three measurements.
func (d decodeCompose) run(device gpu.Device, left func() (int, error), clips []*clip) (r decodeComposeResult, err error) {
	r.shows, r.inputs = d.shows, 4*d.shows
	open := func(measure func(*studio) error) error {
		s := &studio{device: device, rate: pictureRate(), load: d.load}
		defer s.close()
		for n := range d.shows {
			if err := s.add(clips, false); err != nil {
				return fmt.Errorf("open show %d: %w", n, err)
			}
		}
		return measure(s)
	}
	before, err := left()
	if err != nil {
		return r, err
	}
	err = open(func(s *studio) error {
		took, err := s.flatOut(d.unpaced, false)
		r.decodeOnly = float64(r.inputs*d.unpaced) / took.Seconds()
		if err != nil {
			return err
		}
		after, err := left()
		r.perInput = int64(before-after) / int64(r.inputs)
		return err
	})
	if err != nil {
		return r, err
	}
	err = open(func(s *studio) error {
		took, err := s.flatOut(d.unpaced, true)
		r.withShows = float64(r.inputs*d.unpaced) / took.Seconds()
		return err
	})
	if err != nil {
		return r, err
	}
	err = open(func(s *studio) (err error) {
		begin, used := time.Now(), processorTime()
		r.paced, err = s.pace(d.ticks)
		r.cores = (processorTime() - used).Seconds() / time.Since(begin).Seconds()
		return err
	})
	return r, err
}

// processorTime is what this process has used, in user and kernel.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
