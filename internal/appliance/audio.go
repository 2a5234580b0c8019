package appliance

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"millrace/api"
)

// Audio implements api.Live.
func (c *channels) Audio(id string) (api.AudioMap, error) {
	p, err := c.find(id)
	if err != nil {
		return api.AudioMap{}, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return p.audio(), nil
}

// audio is every strip of a program; the caller holds mu.
func (p *program) audio() api.AudioMap {
	settings := api.AudioMap{Sources: map[string]api.AudioSettings{}, Master: p.onAir.Value.Master}
	for _, source := range p.stored.Value.Sources {
		settings.Sources[source] = p.onAir.Value.audioOf(source)
	}
	return settings
}

// UpdateAudio implements api.Live.
func (c *channels) UpdateAudio(ctx context.Context, id string, change func(api.AudioMap) (api.AudioMap, error)) (api.AudioMap, error) {
	p, release, err := c.hold(id)
	if err != nil {
		return api.AudioMap{}, err
	}
	defer release()
	c.mu.RLock()
	document, onAir, present, own := p.stored.Value, p.onAir.Value, p.audio(), p.audio()
	c.mu.RUnlock()
	changed, err := change(own)
	if err == nil {
		err = checkAudio(document, changed)
	}
	if err != nil {
		return changed, err
	}
	onAir.Audio = maps.Clone(onAir.Audio)
	if onAir.Audio == nil {
		onAir.Audio = map[string]api.AudioSettings{}
	}
	for source := range present.Sources {
		if settings, kept := changed.Sources[source]; kept {
			onAir.Audio[source] = settings
		} else {
			delete(onAir.Audio, source)
		}
	}
	onAir.Master = changed.Master
	if err := c.storeAir(ctx, p, onAir); err != nil {
		return changed, err
	}
	changed, err = c.Audio(id)
	if err != nil {
		return changed, err
	}
	for source, settings := range changed.Sources {
		if present.Sources[source] != settings {
			c.bus.Publish("channel.audio", audioEvent{Channel: id, Source: source, Settings: settings})
		}
	}
	return changed, c.apply(ctx, p)
}

// checkAudio finds what the schema of strips cannot.
func checkAudio(document api.Channel, audio api.AudioMap) error {
	var faults []api.Fault
	for _, source := range slices.Sorted(maps.Keys(audio.Sources)) {
		pointer := "/sources/" + source
		if !slices.Contains(document.Sources, source) {
			faults = append(faults, api.Fault{Pointer: pointer, Detail: fmt.Sprintf("the channel has no source %.40q", source)})
			continue
		}
		if duck := audio.Sources[source].Duck; duck != nil {
			faults = append(faults, checkDucking(document, source, *duck)...)
		}
	}
	if len(faults) > 0 {
		return api.Invalid(faults...)
	}
	return nil
}

func checkDucking(document api.Channel, source string, duck api.Ducking) (faults []api.Fault) {
	for i, key := range duck.Keys {
		pointer := fmt.Sprintf("/sources/%s/duck/keys/%d", source, i)
		switch {
		case key == source:
			faults = append(faults, api.Fault{Pointer: pointer, Detail: "a source cannot make way for itself"})
		case !slices.Contains(document.Sources, key):
			faults = append(faults, api.Fault{Pointer: pointer, Detail: fmt.Sprintf("the channel has no source %.40q", key)})
		}
	}
	return faults
}
