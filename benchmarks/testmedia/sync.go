package testmedia

import (
	"image"
	"math"
	"time"

	"millrace/mixer/engine/pattern"
)

// flashFrame is the first frame of the flash that frame n belongs to or that last began before it.
func (c Clip) flashFrame(n int64) int64 {
	second := time.Duration(c.Rate.At(n)).Truncate(time.Second)
	return frameFrom(c.Rate, second)
}

// Flashes reports whether frame n of a Sync clip is white.
func (c Clip) Flashes(n int64) bool { return n-c.flashFrame(n) < FlashFrames }

func (c Clip) drawSync(p pattern.Picture, n int64) {
	paper := pattern.RGB(0.08, 0.1, 0.12)
	if c.Flashes(n) {
		paper = pattern.White
	}
	p.Fill(image.Rect(0, 0, p.Width, p.Height), paper)
}

// ReadFlash reports whether a picture of a Sync clip, scaled and compressed, is white.
func ReadFlash(p pattern.Picture) bool {
	sum, count := 0, 0
	for y := p.Height / 4; y < p.Height*3/4; y++ {
		for _, v := range p.Y[y*p.YStride:][:p.Width] {
			sum += int(v)
		}
		count += p.Width
	}
	return count > 0 && sum/count > 128
}

// beeps makes the samples of a Sync clip, in order: silence, and a sine from the sample at which each flash begins.
type beeps struct {
	clip   Clip
	sample int64
	frame  int64 // that the sample belongs to
	start  int64 // sample at which the latest flash began
}

func (b *beeps) next() float64 {
	for b.clip.Rate.Samples(b.frame+1, SampleRate) <= b.sample {
		b.frame++
		b.start = b.clip.Rate.Samples(b.clip.flashFrame(b.frame), SampleRate)
	}
	age := b.sample - b.start
	b.sample++
	if age >= int64(BeepLength)*SampleRate/int64(time.Second) {
		return 0
	}
	return 0.5 * math.Sin(2*math.Pi*1000*float64(age)/SampleRate)
}

// ReadBeeps finds where beeps begin in mono samples between -1 and 1 at SampleRate: the first sample above a tenth of full scale
// after at least 100 ms below it. A codec smears that by a few samples.
func ReadBeeps(samples []float32) []int {
	const threshold, silence = 0.1, SampleRate / 10
	var starts []int
	loud := -silence
	for i, v := range samples {
		if v < threshold && v > -threshold {
			continue
		}
		if i-loud >= silence {
			starts = append(starts, i)
		}
		loud = i
	}
	return starts
}
