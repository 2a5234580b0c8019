package engine

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// Parameter set ids of the encoders that may carry a rung: the device's own,
// and the one that takes over where it fails. Every init section lists both.
const (
	primarySet  = 0
	fallbackSet = 1
)

// ladder is every rendition's encoder, open, and what the server must know of
// them before the first frame.
type ladder struct {
	rungs []*rung // Emit and finished not yet set
	ready worker.Ready
}

// openLadder opens the encoders of all rungs at once and, if asked, makes
// their filler from the channel's slate. sets is Config's.
func openLadder(device gpu.Device, show worker.Show, gop int64, filler bool, sets map[string][]byte) (*ladder, error) {
	n, sounds := len(show.Ladder), soundsOf(show)
	l := &ladder{rungs: make([]*rung, n)}
	renditions := make([]worker.Rendition, n+len(sounds))
	errs := make([]error, n+len(sounds))
	var all sync.WaitGroup
	for i := range show.Ladder {
		all.Go(func() { l.rungs[i], renditions[i], errs[i] = openRung(device, show, i, gop, filler, sets) })
	}
	for i, sound := range sounds {
		all.Go(func() { renditions[n+i], errs[n+i] = describeSound(sound, filler) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		l.close()
		return nil, err
	}
	renditions = append(renditions, returnsOf(show, renditions[len(renditions)-1])...)
	info := device.Info()
	l.ready = worker.Ready{
		Renditions: renditions,
		Encoder:    worker.EncoderInfo{Device: info.Name, Codec: info.Encoder, Reason: info.Reason},
	}
	return l, nil
}

func openRung(device gpu.Device, show worker.Show, i int, gop int64, filler bool, sets map[string][]byte) (*rung, worker.Rendition, error) {
	step := show.Ladder[i]
	rendition := worker.Rendition{ID: step.ID, Bitrate: step.Bitrate}
	config := gpu.EncoderConfig{
		ID: step.ID, Size: gpu.Size{Width: step.Width, Height: step.Height},
		Rate: show.Canvas.Rate, Bitrate: step.Bitrate, ParameterSet: primarySet, Threads: threads(step, show.Canvas.Rate),
	}
	fail := func(err error) (*rung, worker.Rendition, error) {
		return nil, rendition, fmt.Errorf("open rendition %q: %w", step.ID, err)
	}
	if step.Codec != "" && step.Codec != media.H264 {
		return fail(fmt.Errorf("codec %q is not done by this version", step.Codec))
	}
	encoder, err := openEncoder(device, config, sets[step.ID])
	if err != nil {
		return fail(err)
	}
	r := &rung{index: i, encoder: encoder, rate: show.Canvas.Rate, wake: make(chan struct{}, 1)}
	r.keys.rate, r.keys.gop = show.Canvas.Rate, gop
	if r.track, err = jointTrack(device, config, encoder.Track(), sets[step.ID]); err == nil && filler {
		rendition.Filler, err = fillerOf(device, config, show.Channel, int(gop))
	}
	if err != nil {
		encoder.Close()
		return fail(err)
	}
	rendition.Track = r.track
	return r, rendition, nil
}

// threads is how many slices of a rung are coded at once: one, unless a single
// core cannot be expected to keep up.
func threads(step worker.Rung, rate media.Rate) int {
	const oneCore = 1920 * 1080 * 60 // pixels a second
	pixels := int64(step.Width) * int64(step.Height) * rate.Num / rate.Den
	return int(min(max((pixels+oneCore-1)/oneCore, 1), int64(runtime.NumCPU()), 8))
}

// openEncoder opens what carries a rung. Where the rung's init section is there
// already, it is the first encoder, the device's own before x264, whose parameter
// sets the section lists.
func openEncoder(device gpu.Device, config gpu.EncoderConfig, section []byte) (gpu.Encoder, error) {
	if section == nil {
		return device.NewEncoder(config)
	}
	for _, choice := range []struct {
		set      int
		software bool
	}{{primarySet, false}, {primarySet, true}, {fallbackSet, true}} {
		config.ParameterSet, config.Software = choice.set, choice.software
		encoder, err := device.NewEncoder(config)
		if err != nil {
			return nil, err
		}
		if gpu.Lists(section, encoder.Track()) {
			return encoder, nil
		}
		encoder.Close()
	}
	return nil, errors.New("none of this device's encoders goes on with the channel's init section")
}

// jointTrack is the track with the parameter sets of the init section: the one
// that there is, else a new one with those of the fallback too, which a second
// encoder gives that is opened for nothing else.
func jointTrack(device gpu.Device, config gpu.EncoderConfig, track *media.Track, section []byte) (*media.Track, error) {
	joint := *track
	if section != nil {
		joint.Config = section
		return &joint, nil
	}
	config.ParameterSet, config.Software = fallbackSet, true
	fallback, err := device.NewEncoder(config)
	if err != nil {
		return nil, err
	}
	defer fallback.Close()
	joint.Config, err = gpu.JoinParameterSets(track, fallback.Track())
	return &joint, err
}

// fillerOf encodes the channel's slate as the stand-in for a lost worker.
func fillerOf(device gpu.Device, config gpu.EncoderConfig, channel string, gop int) ([]worker.Filler, error) {
	slate, err := device.NewFrame(config.Size)
	if err != nil {
		return nil, err
	}
	defer slate.Release()
	drawStandby(slate, channel)
	variants, err := gpu.Filler(device, config, slate, gop)
	if err != nil {
		return nil, err
	}
	fillers := make([]worker.Filler, len(variants))
	for i, variant := range variants {
		for _, unit := range variant {
			fillers[i] = append(fillers[i], unit.Data)
		}
	}
	return fillers, nil
}

// opus is the program's sound for browsers, which returns are like.
func (l *ladder) opus() worker.Rendition {
	i := slices.IndexFunc(l.ready.Renditions, func(r worker.Rendition) bool { return r.ID == worker.OpusID })
	return l.ready.Renditions[i]
}

func (l *ladder) close() {
	for _, r := range l.rungs {
		if r != nil {
			r.release()
			r.encoder.Close()
		}
	}
}
