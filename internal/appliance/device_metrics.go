package appliance

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/gpu"
)

// collect gives what the cards said last, and what the planner has put where. The
// label is the device's name.
func (d *devices) collect(to chan<- prometheus.Metric) {
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	channels := newMetric(gauge, "device_channels", "Channels that the planner has put here", "device")
	for _, load := range d.account.Loads() {
		channels.send(to, float64(len(load.Channels)), load.Place)
	}
	memory := newMetric(gauge, "gpu_memory_used_bytes", "Memory in use on the card", "device")
	busy := newMetric(gauge, "gpu_busy_ratio", "Share of the time that a kernel ran", "device")
	encoder := newMetric(gauge, "gpu_encoder_ratio", "Share of the time that NVENC worked", "device")
	decoder := newMetric(gauge, "gpu_decoder_ratio", "Share of the time that NVDEC worked", "device")
	sessions := newMetric(gauge, "gpu_encoder_sessions", "Encoding sessions on the card, whoever's", "device")
	heat := newMetric(gauge, "gpu_temperature_celsius", "Temperature of the card", "device")
	slowed := newMetric(gauge, "gpu_throttled", "1 while power or heat slow the card down", "device")
	xids := newMetric(counter, "gpu_xid_errors", "Critical errors (Xid) that the driver told of", "device")
	for _, card := range d.cards() {
		i := slices.IndexFunc(d.survey.Cards, func(known gpu.Card) bool { return known.Bus == card.Bus })
		if i < 0 {
			continue
		}
		name := d.survey.Cards[i].Name
		memory.send(to, float64(card.MemoryUsed), name)
		busy.send(to, card.Busy, name)
		encoder.send(to, card.Encoder, name)
		decoder.send(to, card.Decoder, name)
		sessions.send(to, float64(card.Sessions), name)
		heat.send(to, float64(card.Temperature), name)
		slowed.send(to, oneIf(len(card.Throttled) > 0), name)
		xids.send(to, float64(card.Xids), name)
	}
}
