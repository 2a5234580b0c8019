package appliance

import (
	"context"
	"maps"
	"slices"

	"millrace/api"
)

// strips are the audio settings of a channel that are not the default.
func (c *channels) strips(id string) map[string]api.AudioSettings {
	p, err := c.find(id)
	if err != nil {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	strips := maps.Clone(p.onAir.Value.Audio)
	maps.DeleteFunc(strips, func(source string, settings api.AudioSettings) bool {
		return settings == air{}.audioOf(source) || !slices.Contains(p.stored.Value.Sources, source)
	})
	return strips
}

// master is the fader of a channel's sum.
func (c *channels) master(id string) api.MasterAudio {
	audio, err := c.Audio(id)
	if err != nil {
		return api.MasterAudio{}
	}
	return audio.Master
}

func (p *planner) planAudio() {
	for _, channel := range slices.Sorted(maps.Keys(p.show.Masters)) {
		if _, ok := p.channels[channel]; !ok {
			p.fault("/masters/"+channel, "there is no channel %q in the document", channel)
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(p.show.Audio)) {
		document, ok := p.channels[channel]
		if !ok {
			p.fault("/audio/"+channel, "there is no channel %q in the document", channel)
			continue
		}
		for _, source := range slices.Sorted(maps.Keys(p.show.Audio[channel])) {
			if !slices.Contains(document.Sources, source) {
				p.fault("/audio/"+channel+"/"+source, "the channel has no source %q", source)
			} else if duck := p.show.Audio[channel][source].Duck; duck != nil {
				for _, fault := range checkDucking(document, source, *duck) {
					p.fault("/audio/"+channel+fault.Pointer[len("/sources"):], "%s", fault.Detail)
				}
			}
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(p.channels)) {
		present := p.node.channels.strips(channel)
		for _, source := range p.channels[channel].Sources {
			p.planStrip(channel, source, present[source], p.show.Audio[channel][source])
		}
		p.planMaster(channel, p.node.channels.master(channel), p.show.Masters[channel])
	}
}

// planStrip changes one strip; the zero settings are the default.
func (p *planner) planStrip(channel, source string, present, wanted api.AudioSettings) {
	if present == (api.AudioSettings{}) {
		present = air{}.audioOf(source)
	}
	if wanted == (api.AudioSettings{}) {
		wanted = air{}.audioOf(source)
	}
	if fields := differences(present, wanted); len(fields) > 0 {
		p.step(api.PlanStepActionChange, api.PlanStepKindAudio, channel+"/"+source, fields, func(ctx context.Context) error {
			_, err := p.node.UpdateAudio(ctx, channel, func(audio api.AudioMap) (api.AudioMap, error) {
				audio.Sources[source] = wanted
				return audio, nil
			})
			return err
		})
	}
}

// planMaster changes the fader of a channel's sum.
func (p *planner) planMaster(channel string, present, wanted api.MasterAudio) {
	if present == wanted {
		return
	}
	p.step(api.PlanStepActionChange, api.PlanStepKindAudio, channel, differences(present, wanted), func(ctx context.Context) error {
		_, err := p.node.UpdateAudio(ctx, channel, func(audio api.AudioMap) (api.AudioMap, error) {
			audio.Master = wanted
			return audio, nil
		})
		return err
	})
}
