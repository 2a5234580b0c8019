// Gpubench runs on any machine with an NVIDIA driver, without anything else
// installed, and prints one table: the card, whether the kernel equals the
// reference of the pixel contract, and how fast it is beside the card's own copy.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"millrace/gpu/cuda"
)

func main() {
	library := flag.String("library", cuda.Library, "the driver's library")
	ordinal := flag.Int("device", 0, "which card")
	scenes := flag.Int("scenes", 400, "random scenes for parity")
	seed := flag.Uint64("seed", 1, "of the scenes")
	shows := flag.Int("shows", 64, "shows in one launch")
	repeats := flag.Int("repeats", 50, "runs of every measurement")
	flag.Parse()
	if err := run(os.Stdout, *library, *ordinal, *scenes, *seed, *shows, *repeats); err != nil {
		fmt.Fprintln(os.Stderr, "gpu-bench:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, library string, ordinal, scenes int, seed uint64, shows, repeats int) error {
	driver, err := cuda.Load(library)
	if err != nil {
		return err
	}
	c, err := openCard(driver, ordinal)
	if err != nil {
		return err
	}
	defer c.close()
	row := func(name, format string, values ...any) {
		fmt.Fprintf(out, "%-22s %s\n", name, fmt.Sprintf(format, values...))
	}
	d := c.device
	row("device", "%s, compute capability %d.%d, %d multiprocessors, %.1f GiB, driver for CUDA %s",
		d.Name, d.Capability/10, d.Capability%10, d.Processors, float64(d.Memory)/(1<<30), driver.Version())
	if driver.Emulated() {
		row("note", "driver emulation, test equipment: it runs on the CPU and is no evidence of speed")
	}
	result, err := c.parity(seed, scenes)
	if err != nil {
		return fmt.Errorf("parity: %w", err)
	}
	row("parity", "%d scenes, %d samples, largest difference %d, pictures not identical: %d", result.scenes, result.samples, result.most, result.off)
	if driver.Emulated() {
		return nil
	}
	b, err := newBench(c, shows, repeats)
	if err != nil {
		return fmt.Errorf("gpu-kernel: %w", err)
	}
	defer b.free()
	m, err := b.measure()
	if err != nil {
		return fmt.Errorf("gpu-kernel: %w", err)
	}
	rate := func(t time.Duration) float64 { return float64(m.useful) / t.Seconds() / 1e9 }
	row("load", "%d shows x 4 NV12 1080p -> 1080, 720, 480, 360: %.1f MB each", m.shows, float64(m.useful/m.shows)/1e6)
	row("gpu-kernel", "%v a launch, %.0f GB/s of useful bytes", m.all, rate(m.all))
	row("copy on the card", "%v for as many bytes, %.0f GB/s", m.copied, rate(m.copied))
	row("gpu-kernel / copy", "%.1f %%", 100*m.share())
	row("one show alone", "%.2f us between events, %.2f us in a row of launches; an empty launch %.2f us",
		micro(m.alone), micro(m.alongside), micro(m.withoutWork))
	return nil
}

func micro(t time.Duration) float64 { return float64(t) / float64(time.Microsecond) }
