// Gpubench runs on any machine with an NVIDIA driver, without anything else
// installed, and prints one table: the card, whether the kernel equals the
// reference of the pixel contract, how fast it is beside the card's own copy and
// beside the chain of filters that it replaces, what a tick costs the CPU, and how
// many inputs and shows the card carries.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"millrace/gpu"
	"millrace/gpu/cuda"
)

// options are what the command line says.
type options struct {
	library string
	ordinal int
	scenes  int
	seed    uint64
	shows   int // of gpu-kernel and gpu-chain
	repeats int
	inputs  int // of gpu-decode-compose
	seconds int // of every measurement in real time
	only    string
	json    string
}

// names are what can be measured, in the order in which it is.
func names() []string {
	return []string{"parity", "gpu-kernel", "gpu-chain", "submission", "gpu-decode-compose", "gpu-density"}
}

func main() {
	var o options
	flag.StringVar(&o.library, "library", cuda.Library, "the driver's library")
	flag.IntVar(&o.ordinal, "device", 0, "which card")
	flag.IntVar(&o.scenes, "scenes", 400, "random scenes for parity")
	flag.Uint64Var(&o.seed, "seed", 1, "of the scenes")
	flag.IntVar(&o.shows, "shows", 64, "shows in one launch")
	flag.IntVar(&o.repeats, "repeats", 50, "runs of every measurement")
	flag.IntVar(&o.inputs, "inputs", 160, "inputs of gpu-decode-compose")
	flag.IntVar(&o.seconds, "seconds", 10, "of every measurement in real time")
	flag.StringVar(&o.only, "only", "", "measure these only, with commas between: "+strings.Join(names(), ", "))
	flag.StringVar(&o.json, "json", "", "write the table there as JSON too")
	flag.Parse()
	if err := run(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "gpu-bench:", err)
		os.Exit(1)
	}
}

// run prints the table. What fails is a row that says so, and the error at the end.
func run(out io.Writer, o options) error {
	wanted, err := o.wanted()
	if err != nil {
		return err
	}
	driver, err := cuda.Load(o.library)
	if err != nil {
		return err
	}
	c, err := openCard(driver, o.ordinal)
	if err != nil {
		return err
	}
	defer c.close()
	d := c.device
	r := &report{out: out, Device: d.Name, Driver: driver.Version(), Emulated: driver.Emulated()}
	r.say("device", "%s, compute capability %d.%d, %d multiprocessors, %.1f GiB, driver for CUDA %s",
		d.Name, d.Capability/10, d.Capability%10, d.Processors, float64(d.Memory)/(1<<30), driver.Version())
	if r.Emulated {
		r.say("note", "driver emulation, TEST EQUIPMENT: it runs on the CPU, briefly; emulated: no speed")
	}
	t := &table{options: o, card: c, report: r, load: fullHD()}
	if r.Emulated {
		t.load, t.shows, t.repeats, t.inputs = brief(), min(o.shows, 2), 1, min(o.inputs, 4)
	}
	failed := t.rows(wanted)
	if o.json != "" {
		if err := r.write(o.json); err != nil {
			return err
		}
	}
	return failed
}

func (o options) wanted() ([]string, error) {
	if o.only == "" {
		return names(), nil
	}
	wanted := strings.Split(o.only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("there is no measurement %q: there are %s", name, strings.Join(names(), ", "))
		}
	}
	return wanted, nil
}

// table measures row after row.
type table struct {
	options
	card   *card
	report *report
	load   load
}

func (t *table) rows(wanted []string) (failed error) {
	measure := map[string]func() error{
		"parity": t.parity, "gpu-kernel": t.kernel, "gpu-chain": t.chain, "submission": t.submission,
		"gpu-decode-compose": t.decodeCompose, "gpu-density": t.density,
	}
	for _, name := range wanted {
		if err := measure[name](); err != nil {
			t.report.say(name, "failed: %v", err)
			if failed == nil {
				failed = fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return failed
}

func (t *table) parity() error {
	result, err := t.card.parity(t.seed, t.scenes)
	if err != nil {
		return err
	}
	t.report.add(row{
		Name:   "parity",
		Result: fmt.Sprintf("%d scenes, %d samples, largest difference %d, pictures not identical: %d", result.scenes, result.samples, result.most, result.off),
		Values: map[string]float64{"scenes": float64(result.scenes), "samples": float64(result.samples), "largestDifference": float64(result.most)},
	})
	return nil
}

// withBench makes the load of kernels for a measurement.
func (t *table) withBench(measure func(*bench) error) error {
	b, err := newBench(t.card, t.load, t.shows, t.repeats)
	if err != nil {
		return err
	}
	defer b.free()
	return measure(b)
}

// open gives the card as the product uses it.
func (t *table) open() (gpu.Device, error) {
	return gpu.OpenWith(fmt.Sprintf("cuda:%d", t.ordinal), t.library)
}

func micro(t time.Duration) float64 { return float64(t) / float64(time.Microsecond) }
