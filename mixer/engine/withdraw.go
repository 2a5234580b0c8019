package engine

import (
	"bytes"
	"errors"
	"slices"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// cardsOnly says that a rung's codec has no encoder on the CPU.
func cardsOnly(codec media.Codec) bool { return codec != "" && codec != media.H264 }

// opened is one step of the show's ladder, open or not.
type opened struct {
	rung      *rung
	rendition worker.Rendition
	reason    string // why it is withdrawn; empty when it is not
	absent    bool   // the channel has no such rendition
	err       error
}

// openStep opens a rung. One that only a card could encode is withdrawn where this
// device does not: what the channel has begun with it keeps its place.
func openStep(device gpu.Device, from Config, i int) (step opened) {
	asked := from.Show.Ladder[i]
	section := from.Sets[asked.ID]
	if from.Sets != nil && section == nil && cardsOnly(asked.Codec) {
		step.rendition.ID, step.absent = asked.ID, true
		step.reason = "it was withdrawn when the channel began; stop and start the channel where it can be encoded"
		return step
	}
	step.rung, step.rendition, step.err = openRung(device, from, i)
	if step.err == nil || !cardsOnly(asked.Codec) {
		return step
	}
	step.reason, step.err = step.err.Error(), nil
	if step.absent = section == nil; !step.absent {
		step.rendition.Track = &media.Track{
			ID: asked.ID, Kind: media.Video, Codec: asked.Codec, Config: section, Width: asked.Width, Height: asked.Height, Rate: from.Show.Canvas.Rate,
		}
	}
	return step
}

// take sorts the steps into rungs, renditions and what is withdrawn.
func (l *ladder) take(steps []opened) (renditions []worker.Rendition, err error) {
	for _, step := range steps {
		err = errors.Join(err, step.err)
		if step.rung != nil {
			step.rung.index = len(renditions)
			l.rungs = append(l.rungs, step.rung)
		}
		if step.reason != "" {
			l.withdrawn[step.rendition.ID] = step.reason
		}
		if !step.absent {
			renditions = append(renditions, step.rendition)
		}
	}
	if len(l.rungs) == 0 && err == nil {
		err = errors.New("no rung of the ladder can be encoded here")
	}
	return renditions, err
}

// firstSound is the rendition that follows the rungs.
func firstSound(ready worker.Ready) int {
	return slices.IndexFunc(ready.Renditions, func(r worker.Rendition) bool { return r.Track.Kind == media.Audio })
}

// openOnCard opens the only encoder of a rung: its parameter sets are the init
// section's.
func openOnCard(device gpu.Device, config gpu.EncoderConfig, section []byte) (gpu.Encoder, *media.Track, error) {
	encoder, err := device.NewEncoder(config)
	if err != nil {
		return nil, nil, err
	}
	if section != nil && !bytes.Equal(section, encoder.Track().Config) {
		encoder.Close()
		return nil, nil, errors.New("this card's encoder makes other parameter sets than the channel's init section lists")
	}
	return encoder, encoder.Track(), nil
}
