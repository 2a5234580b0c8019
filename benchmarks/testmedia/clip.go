package testmedia

import (
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"math/rand/v2"
	"slices"
	"time"

	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

// SampleRate of every clip's stereo sound, samples a second.
const SampleRate = 48000

// Scene names what a clip shows and sounds like.
type Scene string

// The scenes.
const (
	Texture Scene = "texture" // a moving texture with film grain, hard to encode; speech
	Talk    Scene = "talk"    // a presenter who hardly moves, easy to encode; speech, and the mouth follows it
	Sync    Scene = "sync"    // each second a white flash of FlashFrames and, from its first instant, a beep of 1 kHz
)

// ToneLevel is the amplitude of a Tone: four of them and a beep do not clip.
const ToneLevel = 0.1

// FlashFrames and BeepLength are how long the flash and the beep of Sync last.
const (
	FlashFrames = 2
	BeepLength  = 40 * time.Millisecond
)

// Clip describes a clip. The same description gives the same pictures and
// samples, and with the same ffmpeg the same file.
type Clip struct {
	Scene         Scene
	Width, Height int // pixels, even, at least 160x96 so that the counter can be read
	Rate          media.Rate
	Frames        int64
	First         int64 // counter of the first frame, which tells clips apart
	Seed          uint64
	Tone          int // Hz: a steady sine of ToneLevel in place of the scene's own sound, which tells clips apart by ear; 0 is none

	Bitrate int // of the video, bits per second; 0 is 0.1 bit a pixel
	GOP     int // frames from keyframe to keyframe; 0 is two seconds
	BFrames int // between references
}

// ErrClip says that a description cannot be drawn.
var ErrClip = errors.New("not a clip")

// Validate says what is wrong with a description.
func (c Clip) Validate() error {
	switch {
	case !slices.Contains([]Scene{Texture, Talk, Sync}, c.Scene):
		return fmt.Errorf("%w: scene %q", ErrClip, c.Scene)
	case c.Width < 160 || c.Height < 96 || c.Width%2 != 0 || c.Height%2 != 0:
		return fmt.Errorf("%w: size %dx%d", ErrClip, c.Width, c.Height)
	case c.Rate.Num <= 0 || c.Rate.Den <= 0:
		return fmt.Errorf("%w: rate %v", ErrClip, c.Rate)
	case c.Frames <= 0:
		return fmt.Errorf("%w: %d frames", ErrClip, c.Frames)
	case c.Tone < 0 || c.Tone >= SampleRate/2:
		return fmt.Errorf("%w: tone of %d Hz", ErrClip, c.Tone)
	}
	return nil
}

// Samples is the number of sample pairs that go with the clip's frames.
func (c Clip) Samples() int64 { return c.Rate.Samples(c.Frames, SampleRate) }

// Name is a file name without extension that no other description has.
func (c Clip) Name() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%+v", c)
	return fmt.Sprintf("%s-%dx%d-%016x", c.Scene, c.Width, c.Height, h.Sum64())
}

// Painter draws the frames of one clip, in any order. One goroutine uses it.
type Painter struct {
	clip Clip
	draw func(p pattern.Picture, n int64)
}

// NewPainter prepares what all frames share.
func NewPainter(c Clip) (*Painter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	painter := &Painter{clip: c}
	switch c.Scene {
	case Texture:
		painter.draw = newTexture(c).draw
	case Talk:
		painter.draw = newTalk(c).draw
	case Sync:
		painter.draw = c.drawSync
	}
	return painter, nil
}

// Draw paints frame n of the clip, 0 being the first, over the whole picture,
// which has the clip's size. Every frame carries pattern's machine-readable
// counter and, in digits, counter and time code.
func (p *Painter) Draw(picture pattern.Picture, n int64) {
	p.draw(picture, n)
	c := p.clip
	pattern.DrawCounter(picture, c.First+n)
	label := fmt.Sprintf("%d  %s", c.First+n, timecode(c.Rate, n))
	scale := max(c.Height/180, 1)
	area := image.Rect(0, c.Height-11*scale, c.Width, c.Height)
	picture.Fill(area, pattern.Black)
	picture.TextCentered(area, scale, label, pattern.White)
}

// timecode is the time since the clip's first frame and the frame within its second.
func timecode(rate media.Rate, n int64) string {
	at := time.Duration(rate.At(n))
	second := at.Truncate(time.Second)
	return fmt.Sprintf("%02d:%02d:%02d.%02d", int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60,
		n-frameFrom(rate, second))
}

// frameFrom is the first frame due at or after an offset.
func frameFrom(rate media.Rate, offset time.Duration) int64 {
	return rate.Index(media.Time(offset)-1) + 1
}

// random is a source of numbers for one purpose of a clip: what one purpose draws does not shift another's.
func (c Clip) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.Seed, purpose))
}
