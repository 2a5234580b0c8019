package gpu

import (
	"cmp"
	"fmt"
	"strings"
	"sync"

	"github.com/asticode/go-astiav"

	"millrace/gpu/cuda"
	"millrace/internal/media"
)

// Survey is what a machine has for pictures, beside its CPU.
type Survey struct {
	Fault    string `json:"fault,omitempty"`    // why there is no card; empty when there is one
	Driver   string `json:"driver,omitempty"`   // newest CUDA version that the driver knows, "12.4"
	Emulated bool   `json:"emulated,omitempty"` // the driver is the emulation for tests
	Cards    []Card `json:"cards,omitempty"`
}

// Card is one card and what of it can be used.
type Card struct {
	Name   string `json:"name"` // "cuda:0"
	Model  string `json:"model"`
	Bus    string `json:"bus"`             // PCI address, "0000:01:00.0"
	Memory int    `json:"memory"`          // bytes
	Fault  string `json:"fault,omitempty"` // why nothing can be composed on it; empty when it can
	// Encoders and Decoders are the card's own, by the names that FFmpeg gives them;
	// the first is that of H.264.
	Encoders []Ability `json:"encoders,omitempty"`
	Decoders []Ability `json:"decoders,omitempty"`
}

// Ability is a codec of a card.
type Ability struct {
	Codec  string `json:"codec"`
	Usable bool   `json:"usable"`
	Reason string `json:"reason,omitempty"` // why not, in words
}

// Examine looks at every card: it makes a context, proves the kernel, and opens
// NVENC and NVDEC. driver is OpenWith's. It may crash or hang where a driver is
// broken, and it changes FFmpeg's log: it is for a process of its own.
func Examine(driver string) Survey {
	loaded, err := cuda.Load(cmp.Or(driver, cuda.Library))
	if err != nil {
		return Survey{Fault: err.Error()}
	}
	survey := Survey{Driver: loaded.Version(), Emulated: loaded.Emulated()}
	for ordinal := range loaded.Devices() {
		survey.Cards = append(survey.Cards, examineCard(cmp.Or(driver, cuda.Library), ordinal))
	}
	return survey
}

func examineCard(driver string, ordinal int) Card {
	card := Card{Name: fmt.Sprintf("cuda:%d", ordinal)}
	device, err := openCUDA(driver, ordinal)
	if err != nil {
		card.Fault = err.Error()
		return card
	}
	defer device.Close()
	card.Model, card.Bus, card.Memory = device.card.Name, device.card.Bus, device.card.Memory
	for _, coding := range codings() {
		card.Encoders = append(card.Encoders, ability(coding.nvenc, device.ffmpeg.nvenc, func() error { return device.proveNVENC(coding) }))
	}
	card.Decoders = []Ability{ability("h264_nvdec", device.ffmpeg.nvdec, func() error { return device.proveNVDEC() })}
	return card
}

// ability tries a codec of a card unless it is known not to work.
func ability(codec string, known error, try func() error) Ability {
	if known != nil {
		return Ability{Codec: codec, Reason: known.Error()}
	}
	said, err := listening(try)
	if err != nil {
		return Ability{Codec: codec, Reason: reasonOf(said, err)}
	}
	return Ability{Codec: codec, Usable: true}
}

// listening runs a function and gives what FFmpeg said meanwhile, errors only.
func listening(do func() error) (said []string, err error) {
	var mu sync.Mutex
	level := astiav.GetLogLevel()
	astiav.SetLogLevel(astiav.LogLevelError)
	astiav.SetLogCallback(func(_ astiav.Classer, _ astiav.LogLevel, _, message string) {
		mu.Lock()
		defer mu.Unlock()
		if message = strings.TrimSpace(message); message != "" {
			said = append(said, message)
		}
	})
	err = do()
	astiav.ResetLogCallback()
	astiav.SetLogLevel(level)
	mu.Lock()
	defer mu.Unlock()
	return said, err
}

// reasonOf words why NVENC or NVDEC cannot be used, from FFmpeg's complaints.
func reasonOf(said []string, err error) string {
	all := strings.ToLower(strings.Join(said, "\n"))
	for _, cause := range []struct{ sign, words string }{
		{"cannot load libnvidia-encode", "the driver's encoder library, libnvidia-encode.so.1, is not installed"},
		{"cannot load libnvcuvid", "the driver's decoder library, libnvcuvid.so.1, is not installed"},
		{"does not support the required nvenc api version", "the driver is too old for the NVENC interface of this version"},
		{"incompatible client key", "the driver's limit of encoding sessions is reached"},
		{"out of memory", "no encoding session or no memory is left on the card"},
		{"no capable devices found", "the card has no NVENC, as A100, H100 and H200 have none"},
		{"unsupported device", "the card has no NVENC, as A100, H100 and H200 have none"},
		{"codec not supported", "the card's NVENC does not encode this codec"},
		{"no decoder device", "the card has no NVDEC"},
	} {
		if strings.Contains(all, cause.sign) {
			return cause.words
		}
	}
	if len(said) > 0 {
		return said[len(said)-1]
	}
	return err.Error()
}

// proofConfig is what codecs are tried with: pictures beyond NVDEC's and NVENC's
// least.
func proofConfig() EncoderConfig {
	return EncoderConfig{ID: "proof", Size: Size{320, 192}, Rate: media.Rate{Num: 30, Den: 1}, Bitrate: 1_000_000}
}

// proveNVENC encodes pictures, sees that each gives its access unit, and decodes
// them on the CPU.
func (d *cudaDevice) proveNVENC(coding coding) error {
	if err := checkNVENCOptions(coding); err != nil {
		return err
	}
	config := proofConfig()
	config.Codec = coding.codec
	encoder, err := newCardEncoder(d, config)
	if err != nil {
		return err
	}
	defer encoder.Close()
	decoder, err := newCPUDecoder(d.host, encoder.Track())
	if err != nil {
		return err
	}
	defer decoder.Close()
	return d.proveChain(encoder, decoder)
}

// proveNVDEC decodes on the card what x264 made.
func (d *cudaDevice) proveNVDEC() error {
	encoder, err := newCPUEncoder(proofConfig())
	if err != nil {
		return err
	}
	defer encoder.Close()
	decoder, err := makeDecoder(d.host, encoder.Track(), d)
	if err != nil {
		return err
	}
	defer decoder.Close()
	if err := d.proveChain(encoder, decoder); err != nil {
		return err
	}
	if decoder.(*cpuDecoder).surfaces == 0 {
		return fmt.Errorf("NVDEC did not take H.264: the CPU decoded it")
	}
	return nil
}

// proofPSNR is how near a picture must come back, decibels of luma.
const proofPSNR = 26

// proveChain sends pictures through an encoder and a decoder and compares.
func (d *cudaDevice) proveChain(encoder Encoder, decoder Decoder) error {
	shown := 0
	var fault error
	for n := range 8 {
		picture, err := d.NewFrame(proofConfig().Size)
		if err != nil {
			return err
		}
		defer picture.Release()
		picture.drawProof(n)
		unit, err := encoder.Encode(picture, int64(n), n == 0)
		if err != nil {
			return err
		}
		packet := &media.Packet{Track: encoder.Track(), PTS: media.Time(n), DTS: media.Time(n), Key: unit.Key, Data: unit.Data}
		err = decoder.Decode(packet, func(f *Frame) {
			defer f.Release()
			shown++
			if near, err := nearness(picture, f); err != nil {
				fault = err
			} else if near < proofPSNR {
				fault = fmt.Errorf("picture %d comes back at %.1f dB, less than %d", n, near, proofPSNR)
			}
		})
		if err != nil {
			return err
		}
	}
	if fault == nil && shown != 8 {
		fault = fmt.Errorf("%d of 8 pictures came back at once", shown)
	}
	return fault
}
