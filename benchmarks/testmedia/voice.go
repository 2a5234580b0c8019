package testmedia

import (
	"math"
	"math/rand/v2"
)

// voice sounds like speech to codecs, gates and loudness meters: syllables of
// pulses through three formants, some with a hiss before, in phrases with pauses.
type voice struct {
	clip  Clip
	pitch float64 // Hz
}

// syllable is one fifth of a second or so of speech.
type syllable struct {
	silent   bool
	level    float64 // 0..1
	pitch    float64 // Hz
	formants [3]float64
	hiss     bool
}

const syllableLength = 0.21 // seconds

func newVoice(c Clip) voice {
	return voice{clip: c, pitch: 95 + 110*c.random('v').Float64()}
}

// syllable returns the one that is spoken at a time in seconds, and how far it is, 0 to 1.
func (v voice) syllable(seconds float64) (syllable, float64) {
	vowels := [...][3]float64{{730, 1090, 2440}, {530, 1840, 2480}, {270, 2290, 3010}, {570, 840, 2410}, {300, 870, 2240}}
	index := math.Floor(seconds / syllableLength)
	random := rand.New(rand.NewPCG(v.clip.Seed^'s', uint64(index)))
	s := syllable{
		level:    0.5 + 0.5*random.Float64(),
		pitch:    v.pitch * (0.88 + 0.24*random.Float64()),
		formants: vowels[random.IntN(len(vowels))],
		hiss:     random.IntN(4) == 0,
	}
	s.silent = math.Mod(index, 14) >= 12 || random.IntN(12) == 0
	return s, seconds/syllableLength - index
}

// loudness is the envelope at a time in seconds, 0 to 1.
func (v voice) loudness(seconds float64) float64 {
	s, progress := v.syllable(seconds)
	if s.silent {
		return 0
	}
	return s.level * math.Pow(math.Sin(math.Pi*progress), 0.6)
}

// speech makes the samples of a voice, in order.
type speech struct {
	voice    voice
	random   *rand.Rand
	sample   int64
	phase    float64
	now      syllable
	envelope float64
	noise    float64
	formants [3]resonator
}

func newSpeech(c Clip) *speech { return &speech{voice: newVoice(c), random: c.random('n')} }

// next is the next sample, between -1 and 1.
func (s *speech) next() float64 {
	if s.sample%48 == 0 { // each millisecond
		seconds := float64(s.sample) / SampleRate
		var progress float64
		s.now, progress = s.voice.syllable(seconds)
		s.envelope = s.voice.loudness(seconds)
		s.noise = 0
		if s.now.hiss && !s.now.silent && progress < 0.3 {
			s.noise = 0.02
		}
		for i := range s.formants {
			s.formants[i].tune(s.now.formants[i], 60+40*float64(i))
		}
	}
	s.sample++
	s.phase += s.now.pitch / SampleRate
	pulse := 0.0
	if s.phase >= 1 {
		s.phase--
		pulse = 1
	}
	sum := 0.0
	for i := range s.formants {
		sum += s.formants[i].pass(pulse) / float64(i+1)
	}
	value := sum*s.envelope*0.25 + s.noise*s.random.NormFloat64()
	return max(-0.9, min(0.9, value))
}

// resonator is a band-pass of two poles.
type resonator struct{ gain, a, b, last, before float64 }

// tune sets centre and bandwidth in Hz.
func (r *resonator) tune(centre, bandwidth float64) {
	radius := math.Exp(-math.Pi * bandwidth / SampleRate)
	r.a = 2 * radius * math.Cos(2*math.Pi*centre/SampleRate)
	r.b = -radius * radius
	r.gain = math.Sin(2 * math.Pi * centre / SampleRate)
}

func (r *resonator) pass(in float64) float64 {
	out := r.gain*in + r.a*r.last + r.b*r.before
	r.last, r.before = out, r.last
	return out
}
