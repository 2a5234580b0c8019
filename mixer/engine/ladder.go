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
	rungs     []*rung           // Emit and finished not yet set
	withdrawn map[string]string // by rung: why it is not among them
	ready     worker.Ready
}

// openLadder opens the encoders of all rungs at once and, if asked, makes
// their filler from the channel's slate. sets is Config's. What only a card could
// encode, and this device does not, is withdrawn.
func openLadder(device gpu.Device, from Config) (*ladder, error) {
	show, sounds := from.Show, soundsOf(from.Show)
	l := &ladder{withdrawn: map[string]string{}}
	steps, heard, errs := make([]opened, len(show.Ladder)), make([]worker.Rendition, len(sounds)), make([]error, len(sounds))
	var all sync.WaitGroup
	for i := range show.Ladder {
		all.Go(func() { steps[i] = openStep(device, from, i) })
	}
	for i, sound := range sounds {
		all.Go(func() { heard[i], errs[i] = describeSound(sound, from.Filler) })
	}
	all.Wait()
	renditions, err := l.take(steps)
	if err := errors.Join(append(errs, err)...); err != nil {
		l.close()
		return nil, err
	}
	renditions = append(renditions, heard...)
	renditions = append(renditions, returnsOf(show, renditions[len(renditions)-1])...)
	l.ready = worker.Ready{Renditions: renditions, Encoder: l.describe(device.Info())}
	return l, nil
}

// describe says what encodes, and why some rungs are not on the device's own encoder.
func (l *ladder) describe(info gpu.Info) worker.EncoderInfo {
	encoder := worker.EncoderInfo{Device: info.Name, Codec: l.rungs[0].encoder.Name(), Reason: info.Reason}
	for _, r := range l.rungs {
		if r.reason != "" {
			encoder.Reason = fmt.Sprintf("rung %s is encoded by %s: %s", r.track.ID, r.encoder.Name(), r.reason)
		}
	}
	if len(l.withdrawn) > 0 {
		encoder.Withdrawn = l.withdrawn
	}
	return encoder
}

func openRung(device gpu.Device, from Config, i int) (*rung, worker.Rendition, error) {
	show := from.Show
	step := show.Ladder[i]
	rendition := worker.Rendition{ID: step.ID, Bitrate: step.Bitrate}
	config := gpu.EncoderConfig{
		ID: step.ID, Codec: step.Codec, Size: gpu.Size{Width: step.Width, Height: step.Height},
		Rate: show.Canvas.Rate, Bitrate: step.Bitrate, ParameterSet: primarySet, Threads: threads(step, show.Canvas.Rate),
	}
	fail := func(err error) (*rung, worker.Rendition, error) {
		return nil, rendition, fmt.Errorf("open rendition %q: %w", step.ID, err)
	}
	encoder, track, reason, err := openEncoder(device, &config, from.Sets[step.ID])
	if err != nil {
		return fail(err)
	}
	r := &rung{index: i, encoder: encoder, track: track, reason: reason, rate: show.Canvas.Rate, wake: make(chan struct{}, 1)}
	r.keys.rate, r.keys.gop = show.Canvas.Rate, from.GOPFrames
	if from.Filler {
		rendition.Filler, err = fillerOf(device, config, from)
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

// openEncoder opens what carries a rung, and gives the track with the parameter
// sets of the init section: section, where there is one already, else a new one.
// config is left as the encoder was opened with; reason says why it is not the
// device's own.
func openEncoder(device gpu.Device, config *gpu.EncoderConfig, section []byte) (encoder gpu.Encoder, track *media.Track, reason string, err error) {
	if cardsOnly(config.Codec) {
		encoder, track, err = openOnCard(device, *config, section)
		return encoder, track, "", err
	}
	if section != nil {
		encoder, err = continueSection(device, config, section)
		if err != nil {
			return nil, nil, "", err
		}
		joint := *encoder.Track()
		joint.Config = section
		return encoder, &joint, "", nil
	}
	for _, config.Software = range []bool{false, true} {
		var failure error
		if encoder, failure = device.NewEncoder(*config); failure == nil {
			if track, failure = jointTrack(device, *config, encoder.Track()); failure == nil {
				return encoder, track, reason, nil
			}
			encoder.Close()
		}
		reason, err = failure.Error(), errors.Join(err, failure)
		if device.Info().Encoder == "libx264" {
			break // there is no other
		}
	}
	return nil, nil, "", err
}

// continueSection opens the first encoder, the device's own before x264, whose
// parameter sets an init section lists.
func continueSection(device gpu.Device, config *gpu.EncoderConfig, section []byte) (gpu.Encoder, error) {
	var failed error
	for _, choice := range []struct {
		set      int
		software bool
	}{{primarySet, false}, {primarySet, true}, {fallbackSet, true}} {
		config.ParameterSet, config.Software = choice.set, choice.software
		encoder, err := device.NewEncoder(*config)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if gpu.Lists(section, encoder.Track()) {
			return encoder, nil
		}
		encoder.Close()
	}
	return nil, errors.Join(failed, errors.New("none of this device's encoders goes on with the channel's init section"))
}

// jointTrack is the track with the parameter sets of the fallback too, which a
// second encoder gives that is opened for nothing else.
func jointTrack(device gpu.Device, config gpu.EncoderConfig, track *media.Track) (*media.Track, error) {
	config.ParameterSet, config.Software = fallbackSet, true
	fallback, err := device.NewEncoder(config)
	if err != nil {
		return nil, err
	}
	defer fallback.Close()
	joint := *track
	joint.Config, err = gpu.JoinParameterSets(track, fallback.Track())
	return &joint, err
}

// fillerOf encodes the channel's slate as the stand-in for a lost worker.
func fillerOf(device gpu.Device, config gpu.EncoderConfig, from Config) ([]worker.Filler, error) {
	slate, err := newStandby(device, config.Size, from)
	if err != nil {
		return nil, err
	}
	defer slate.Release()
	variants, err := gpu.Filler(device, config, slate, int(from.GOPFrames))
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
