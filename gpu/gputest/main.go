// Command gputest says in one table what of Millrace's GPU path holds on the cards of
// a machine: what loads, what decodes, composes and encodes, and how near that is to
// the CPU. It needs nothing but NVIDIA's driver.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"millrace/gpu"
	"millrace/gpu/monitor"
)

func main() {
	library := flag.String("library", "", "CUDA driver library, for the emulation; empty is NVIDIA's")
	pictures := flag.Int("pictures", 300, "pictures of every measurement")
	flag.Parse()
	if !run(os.Stdout, *library, *pictures) {
		os.Exit(1)
	}
}

// run prints the table and says whether a card carries channels.
func run(out io.Writer, library string, pictures int) (works bool) {
	row := func(name, format string, values ...any) {
		fmt.Fprintf(out, "%-22s %s\n", name, fmt.Sprintf(format, values...))
	}
	health(row)
	survey := gpu.Examine(library)
	if survey.Fault != "" {
		row("cards", "none: %s", survey.Fault)
		return false
	}
	row("driver", "for CUDA %s", survey.Driver)
	if survey.Emulated {
		row("note", "driver emulation, TEST EQUIPMENT: it runs on the CPU and is no evidence of speed")
	}
	for _, card := range survey.Cards {
		row(card.Name, "%s, %s, %.1f GiB", card.Model, card.Bus, float64(card.Memory)/(1<<30))
		if card.Fault != "" {
			row("  is not used", "%s", card.Fault)
			continue
		}
		row("  compositor", "loads, and its proof equals the reference within 1")
		for _, ability := range append(card.Encoders, card.Decoders...) {
			if ability.Usable {
				row("  "+ability.Codec, "usable: its proof came back")
			} else {
				row("  "+ability.Codec, "not usable: %s", ability.Reason)
			}
		}
		rows, err := gpu.MeasureMedia(library, card.Name, pictures)
		for _, r := range rows {
			row("  "+r.Name, "%s", r.Result)
		}
		if err != nil {
			row("  broke off", "%v", err)
			continue
		}
		works = true
	}
	return works
}

// health is what the management library says.
func health(row func(name, format string, values ...any)) {
	m, err := monitor.Open(nvml.New())
	if err != nil {
		row("NVML", "%v", err)
		return
	}
	defer m.Close()
	sample := m.Sample()
	row("NVML", "driver %s, %d cards", sample.Driver, len(sample.Cards))
	for _, card := range sample.Cards {
		row("  card", "%s", card)
	}
}
