package appliance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/api"
	"millrace/gpu"
	"millrace/gpu/monitor"
	"millrace/gpu/plan"
	"millrace/mixer/worker"
)

// list describes every device, the CPU first.
func (d *devices) list() []api.Device {
	loads := d.account.Loads()
	list := []api.Device{{
		Name: worker.CPU, Encoders: []api.Encoder{{Codec: "libx264", Usable: true}}, Usable: d.config.Policy != "require",
		Load: loadOf(loads, worker.CPU),
	}}
	if d.config.Policy == "require" {
		list[0].Reason = "gpu.policy is require: only what was on air on a card that failed goes on here"
	}
	for _, card := range d.survey.Cards {
		why := d.unusable(card)
		device := api.Device{
			Name: card.Name, Model: card.Model, Bus: card.Bus, Encoders: abilities(card.Encoders), Decoders: abilities(card.Decoders),
			Load: loadOf(loads, card.Name), Health: d.healthOf(card.Bus),
		}
		if i := slices.IndexFunc(loads, func(l plan.Load) bool { return l.Place == card.Name }); i >= 0 && why == "" {
			why = loads[i].Down
		}
		device.Usable, device.Reason, device.TestEquipment = why == "", why, d.survey.Emulated
		list = append(list, device)
	}
	return list
}

// announce says where channels are mixed and encoded, in a line.
func (d *devices) announce() string {
	for _, card := range d.survey.Cards {
		if d.unusable(card) != "" {
			continue
		}
		line := card.Name + ", " + card.Model + ": h264_nvenc"
		if !usable(card.Encoders) {
			line = card.Name + ", " + card.Model + ": composes; libx264 encodes"
			if len(card.Encoders) > 0 {
				line += ": " + card.Encoders[0].Reason
			}
		}
		return line
	}
	return "cpu, libx264: " + d.whyNone()
}

// encoders are the kinds of encoder that channels can have, each with the reason why
// not.
func (d *devices) encoders() []api.Encoder {
	list := []api.Encoder{{Codec: "libx264", Usable: true}}
	for _, codec := range []string{"h264_nvenc", "hevc_nvenc", "av1_nvenc"} {
		encoder := api.Encoder{Codec: codec}
		reason := d.whyNone()
		for _, card := range d.survey.Cards {
			i := slices.IndexFunc(card.Encoders, func(a gpu.Ability) bool { return a.Codec == codec })
			if i < 0 || d.unusable(card) != "" {
				continue
			}
			if reason = card.Name + ": " + card.Encoders[i].Reason; card.Encoders[i].Usable {
				encoder.Usable = true
				break
			}
		}
		if !encoder.Usable {
			encoder.Reason = reason
		}
		list = append(list, encoder)
	}
	return list
}

func abilities(of []gpu.Ability) []api.Encoder {
	list := []api.Encoder{}
	for _, ability := range of {
		list = append(list, api.Encoder{Codec: ability.Codec, Usable: ability.Usable, Reason: ability.Reason})
	}
	return list
}

func loadOf(loads []plan.Load, place string) api.DeviceLoad {
	i := slices.IndexFunc(loads, func(l plan.Load) bool { return l.Place == place })
	if i < 0 {
		return api.DeviceLoad{}
	}
	load := loads[i]
	made := api.DeviceLoad{Channels: append([]string{}, load.Channels...), Encode: load.Encode, Decode: load.Decode}
	if place != worker.CPU {
		made.Sessions, made.MemoryBytes = load.Sessions, load.Memory
	}
	return made
}

// cards are the newest samples; none where NVML is not there.
func (d *devices) cards() []monitor.Card {
	if sample := d.sampled.Load(); sample != nil {
		return sample.Cards
	}
	return nil
}

func (d *devices) healthOf(bus string) api.DeviceHealth {
	for _, card := range d.cards() {
		if card.Bus != bus {
			continue
		}
		health := api.DeviceHealth{
			MemoryBytes: int64(card.MemoryTotal), MemoryUsedBytes: int64(card.MemoryUsed), Busy: card.Busy, Encoder: card.Encoder,
			Decoder: card.Decoder, Sessions: card.Sessions, TemperatureC: card.Temperature,
		}
		health.Throttled, health.Xid, health.Fault = card.Throttled, int64(card.Xid), card.Fault
		return health
	}
	return api.DeviceHealth{}
}

// Run samples the cards, where there are any that NVML knows, until the context ends.
func (d *devices) Run(ctx context.Context) error {
	if len(d.survey.Cards) == 0 || d.survey.Emulated {
		<-ctx.Done()
		return nil
	}
	return d.watch().Run(ctx)
}

// sample keeps a sample, warns of what changed, and takes a card out of use that has
// failed for good.
func (d *devices) sample(sample monitor.Sample) {
	d.sampled.Store(&sample)
	for _, seen := range sample.Cards {
		i := slices.IndexFunc(d.survey.Cards, func(c gpu.Card) bool { return c.Bus == seen.Bus })
		if i < 0 {
			continue
		}
		name, broken := d.survey.Cards[i].Name, seen.Fault
		if fatal := monitor.Fatal(seen.Xid); fatal != "" {
			broken = fatal
		}
		d.mu.Lock()
		before := d.warned[name]
		d.warned[name] = broken
		d.mu.Unlock()
		if broken != "" && broken != before {
			d.log.Error("a card is out of use", "device", name, "reason", broken)
			d.account.Down(name, broken)
		}
	}
}

// troubles is what is wrong with the cards.
func (d *devices) troubles(limits api.AlarmThresholds) (list []trouble) {
	for _, load := range d.account.Loads() {
		if load.Down != "" {
			list = append(list, trouble{
				code: "device.down", source: load.Place, severity: api.Critical, detail: "The card " + load.Place + " gets no channels: " + load.Down + ".",
				hint: "millrace doctor says how it is; the driver's own log says more.",
			})
		}
	}
	for _, card := range d.cards() {
		i := slices.IndexFunc(d.survey.Cards, func(known gpu.Card) bool { return known.Bus == card.Bus })
		if i < 0 {
			continue
		}
		name := d.survey.Cards[i].Name
		if float64(card.Temperature) > float64(limits.TemperatureC) || len(card.Throttled) > 0 {
			list = append(list, trouble{
				code: "device.slowed", source: name, severity: api.Warning, lasting: slowedFor,
				detail: fmt.Sprintf("The card %s is at %d °C and slowed down by %s.", name, card.Temperature, cmp.Or(strings.Join(card.Throttled, " and "), "nothing yet")),
				hint:   "Look at fans, air and the power limit.",
			})
		}
	}
	return list
}

// slowedFor is how long a card is slowed down before it is an alarm.
const slowedFor = 10 * time.Second
