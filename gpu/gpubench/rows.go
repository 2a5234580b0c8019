package main

import (
	"fmt"
	"time"

	"millrace/gpu"
)

func (t *table) kernel() error {
	return t.withBench(func(b *bench) error {
		m, err := b.measure()
		if err != nil {
			return err
		}
		rate := func(t time.Duration) float64 { return float64(m.useful) / t.Seconds() / 1e9 }
		t.report.say("load", "%d shows x 4 NV12 %dx%d with a ladder of %d: %.1f MB each", m.shows, t.load.source.w, t.load.source.h,
			len(t.load.ladder), float64(m.useful/m.shows)/1e6)
		t.report.measured("gpu-kernel", map[string]float64{
			"launchUs": micro(m.all), "copyUs": micro(m.copied), "share": m.share(), "aloneUs": micro(m.alone), "inARowUs": micro(m.alongside),
			"emptyLaunchUs": micro(m.withoutWork),
		}, "%v a launch, %.0f GB/s of useful bytes; the card's copy of as many bytes %v, %.0f GB/s: %.1f %% of it",
			m.all, rate(m.all), m.copied, rate(m.copied), 100*m.share())
		t.report.measured("one show alone", nil, "%.2f us between events, %.2f us in a row of launches; an empty launch %.2f us",
			micro(m.alone), micro(m.alongside), micro(m.withoutWork))
		return nil
	})
}

func (t *table) chain() error {
	return t.withBench(func(b *bench) error {
		ours, err := b.measure()
		if err != nil {
			return err
		}
		chain, err := b.measureChain()
		if err != nil {
			return err
		}
		one := float64(chain.alongside) / float64(ours.alongside)
		batched := float64(chain.alongside) / (float64(ours.all) / float64(ours.shows))
		t.report.measured("gpu-chain", map[string]float64{
			"launches": float64(chain.launches), "chainUs": micro(chain.alongside), "chainAloneUs": micro(chain.alone), "oneLaunchUs": micro(ours.alongside),
			"ratio": one, "ratioBatched": batched,
		}, "%d launches as of scale_cuda and overlay_cuda: %.2f us a show in a row (%.2f us between events); one launch %.2f us: x%.1f; batched x%.1f",
			chain.launches, micro(chain.alongside), micro(chain.alone), micro(ours.alongside), one, batched)
		t.report.say("  its pictures", "luma of the canvas at %.1f dB, of the smallest rung at %.1f dB of the pixel contract's", chain.canvasPSNR, chain.rungPSNR)
		return nil
	})
}

// uploads is how many pictures go up at once beside a tick.
const uploads = 28

func (t *table) submission() error {
	size, ticks := gpu.Size{Width: t.load.source.w, Height: t.load.source.h}, 30*t.seconds
	if t.report.Emulated {
		ticks = 3
	}
	for _, load := range []struct {
		name    string
		uploads int
		every   time.Duration
	}{{"submission", 0, 5 * time.Millisecond}, {fmt.Sprintf("  with %d uploads", uploads), uploads, time.Second / 30}} {
		got, err := gpu.MeasureSubmission(t.library, fmt.Sprintf("cuda:%d", t.ordinal), size, ticks, load.uploads, load.every)
		if err != nil {
			return err
		}
		t.report.measured(load.name, map[string]float64{"medianUs": micro(got.Median), "p99Us": micro(got.P99), "mostUs": micro(got.Most)},
			"from tick to launch return %.1f us, p99 %.1f us, most %.1f us (%d ticks)", micro(got.Median), micro(got.P99), micro(got.Most), ticks)
	}
	return nil
}

// clips are what inputs play.
func (t *table) clips() ([]*clip, error) {
	frames := clipFrames
	if t.report.Emulated {
		frames = 4
	}
	return newClips(sizeOf(t.load.source), pictureRate(), frames)
}

func (t *table) decodeCompose() error {
	device, err := t.open()
	if err != nil {
		return err
	}
	defer device.Close()
	clips, err := t.clips()
	if err != nil {
		return err
	}
	d := decodeCompose{shows: max(t.inputs/4, 1), load: t.load, unpaced: 4 * clipFrames, ticks: 30 * t.seconds}
	if t.report.Emulated {
		d.unpaced, d.ticks = 3, 3
	}
	r, err := d.run(device, t.card.device.Left, clips)
	if err != nil {
		return err
	}
	t.report.measured("gpu-decode-compose", map[string]float64{
		"inputs": float64(r.inputs), "shows": float64(r.shows), "ticks": float64(r.paced.ticks), "missedTicks": float64(r.paced.missed),
		"decodeOnlyPerSecond": r.decodeOnly, "decodeComposePerSecond": r.withShows, "share": r.withShows / r.decodeOnly, "cpuCores": r.cores,
		"memoryPerInputBytes": float64(r.perInput),
	}, "%d H.264 inputs of %dx%d at 30, decoded on %s: %d of %d ticks of %d shows missed, %.1f cores, %.0f MB of memory an input; unpaced %.0f pictures a second, %.0f %% of decoding alone",
		r.inputs, t.load.source.w, t.load.source.h, decoderOf(t.library, t.ordinal), r.paced.missed, r.paced.ticks, r.shows, r.cores, float64(r.perInput)/1e6, r.withShows, 100*r.withShows/r.decodeOnly)
	return nil
}

// decoderOf names what decodes H.264 for a card.
func decoderOf(library string, ordinal int) string {
	for _, card := range gpu.Examine(library).Cards {
		if card.Name != fmt.Sprintf("cuda:%d", ordinal) {
			continue
		}
		for _, ability := range card.Decoders {
			if ability.Codec == "h264_nvdec" && ability.Usable {
				return "NVDEC"
			}
		}
	}
	return "the CPU"
}

func (t *table) density() error {
	device, err := t.open()
	if err != nil {
		return err
	}
	defer device.Close()
	info := device.Info()
	if info.Encoder == "libx264" && !t.report.Emulated {
		t.report.say("gpu-density", "not measured: %s", info.Reason)
		return nil
	}
	clips, err := t.clips()
	if err != nil {
		return err
	}
	d := density{load: t.load, most: 200, ticks: 30 * t.seconds, busy: func() (float64, error) { return 0, nil }}
	if t.report.Emulated {
		d.most, d.ticks = 1, 3
	} else {
		busy, done, err := encoderOf(t.card.device.Bus)
		if err != nil {
			return err
		}
		defer done()
		d.busy = busy
	}
	r, err := d.run(device, clips)
	if err != nil {
		return err
	}
	t.report.measured("gpu-density", map[string]float64{"shows": float64(r.shows), "nvencShare": r.encoder},
		"%d shows of 4 inputs and %d rungs at 30, NVENC at %.0f %%; %s", r.shows, len(t.load.ladder), 100*r.encoder, r.limit)
	return nil
}
