package appliance

import (
	"runtime"
	"slices"
	"strings"

	"millrace/gpu"
	"millrace/gpu/plan"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// What cards and processors are believed to do, in luma pixels a second. They are
// estimates on the careful side, not measurements: one engine of the oldest
// generation that is driven, and a core of a small server.
const (
	fullHD        = 1920 * 1080
	nvencRate     = 240 * fullHD // H.264, preset p4, low latency
	nvdecRate     = 600 * fullHD // H.264
	x264Rate      = 60 * fullHD  // a core, veryfast, zero latency
	decodeRate    = 300 * fullHD // a core, H.264
	contextMemory = 512 << 20    // that the driver and others keep of a card
)

// geforceSessions is how many encoding sessions the driver allows on all GeForce
// cards of a system together (NVIDIA's Video Encode and Decode GPU Support Matrix,
// since 2024).
const geforceSessions = 8

// capacity is what a card is believed to carry.
func capacity(card gpu.Card) plan.Card {
	c := plan.Card{
		Name: card.Name, Memory: max(int64(card.Memory)-contextMemory, 0), Limited: strings.Contains(card.Model, "GeForce"),
	}
	if usable(card.Encoders) {
		c.EncodeRate = nvencRate
	}
	if usable(card.Decoders) {
		c.DecodeRate = nvdecRate
	}
	for name, codec := range map[string]media.Codec{"hevc_nvenc": media.HEVC, "av1_nvenc": media.AV1} {
		if slices.ContainsFunc(card.Encoders, func(a gpu.Ability) bool { return a.Codec == name && a.Usable }) {
			c.Codecs = append(c.Codecs, codec)
		}
	}
	return c
}

func usable(abilities []gpu.Ability) bool { return len(abilities) > 0 && abilities[0].Usable }

// processor is what the CPU is believed to do.
func processor() plan.Rates {
	cores := int64(runtime.NumCPU())
	return plan.Rates{Encode: cores * x264Rate, Decode: cores * decodeRate}
}

// demandOf is what a show needs. What publishers will send is not known: it is taken
// for pictures of the canvas's size and rate.
func demandOf(show worker.Show) plan.Demand {
	perSecond := 0.0
	if show.Canvas.Rate.Den > 0 {
		perSecond = float64(show.Canvas.Rate.Num) / float64(show.Canvas.Rate.Den)
	}
	canvas := plan.Picture{Width: show.Canvas.Width, Height: show.Canvas.Height, PerSecond: perSecond}
	demand := plan.Demand{Channel: show.Channel, Canvas: canvas}
	for _, rung := range show.Ladder {
		demand.Rungs = append(demand.Rungs, plan.Rung{ID: rung.ID, Codec: rung.Codec, Picture: plan.Picture{Width: rung.Width, Height: rung.Height, PerSecond: perSecond}})
	}
	for _, source := range show.Sources {
		if source.Kind == worker.Push {
			demand.Inputs = append(demand.Inputs, canvas)
		}
	}
	return demand
}
