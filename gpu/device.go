package gpu

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"millrace/gpu/cuda"
	"millrace/internal/media"
)

// ErrNoDevice says that the named device is not in this machine or not
// something that this version can drive.
var ErrNoDevice = errors.New("no such device")

// Info describes a device.
type Info struct {
	Name    string // "cpu", "cuda:0"
	Card    string // the card's own name; empty on the CPU
	Encoder string // what NewEncoder uses: "libx264"
	Reason  string // why "auto" chose this one; empty when it was asked for by name
}

// Device makes the parts of one channel's picture path. Its methods may be
// called from any goroutine; what they return is for one goroutine at a time.
type Device interface {
	Info() Info
	NewDecoder(*media.Track) (Decoder, error)
	NewCompositor(CompositorConfig) (Compositor, error)
	NewEncoder(EncoderConfig) (Encoder, error)
	// NewFrame gives a writable frame in host memory with undefined contents:
	// for test patterns and slates.
	NewFrame(Size) (*Frame, error)
	// Outstanding is the number of frames made by the device or its parts that
	// still have a reference.
	Outstanding() int
	// Close frees what the device keeps for reuse. Frames may outlive it.
	Close()
}

// Decoder turns the access units of one video source into frames. One
// goroutine at a time.
type Decoder interface {
	// Decode takes one access unit and gives show every frame that became ready,
	// in presentation order, each with the PTS of its packet, as 8-bit 4:2:0
	// BT.709 limited range. Frames vary in size when the stream does. A packet
	// with another Track than the one before changes the decoder.
	//
	// Damaged data is concealed or skipped and counted in Stats. An error says
	// that this packet shows something that the decoder refuses: a codec unknown to
	// this version, or pictures beyond MaxSide and MaxPixels. Later packets may be
	// decodable again.
	Decode(p *media.Packet, show func(*Frame)) error
	// Drain shows the frames that the decoder still holds back for reordering and
	// forgets the stream's past: decoding goes on at the next key packet.
	Drain(show func(*Frame))
	Stats() DecoderStats
	Close()
}

// DecoderStats count since the decoder was made.
type DecoderStats struct {
	Packets  int64 // taken
	Frames   int64 // shown
	Errors   int64 // access units that did not decode
	Damaged  int64 // frames shown or withheld with missing or concealed parts
	Disorder int64 // frames dropped because a later one had been shown
}

// Encoder makes one rung's access units. One goroutine at a time.
type Encoder interface {
	// Encode takes its own reference of f while it runs (the caller keeps its
	// one) and gives the access unit of exactly this frame: one in, one out, no
	// delay. frame is the number of f on the channel timeline. With key the
	// access unit is an IDR; the first one always is.
	Encode(f *Frame, frame int64, key bool) (AccessUnit, error)
	// Name is the codec that does it: "libx264", "h264_nvenc", "hevc_nvenc".
	Name() string
	// Track describes the stream: Config is its avcC, hvcC or av1C.
	Track() *media.Track
	Close()
}

// EncoderConfig is fixed for an encoder's life.
type EncoderConfig struct {
	ID      string      // of the track, the rung's
	Codec   media.Codec // empty is H.264, which is made everywhere; others by cards only
	Size    Size        // even
	Rate    media.Rate
	Bitrate int // bits per second, at most 1.1 times that within any second
	// ParameterSet is the id of SPS and PPS of H.264: encoders that may carry one rung in
	// turn have different ones, so that one avcC lists them all.
	ParameterSet int
	Software     bool   // x264 also where the device has an encoder of its own
	Preset       string // empty is "veryfast"
	Threads      int    // slices coded at once; 0 is 1
}

// AccessUnit is one encoded frame.
type AccessUnit struct {
	Data  []byte // slice NAL units behind 4-byte lengths, of AV1 a temporal unit; owned by the receiver
	Key   bool   // an IDR, of AV1 a key frame
	Frame int64
}

// Open gives the device of that name: "cpu", "cuda:1", or "auto" for the best
// there is.
func Open(name string) (Device, error) { return OpenWith(name, "") }

// OpenWith drives cards by another library than NVIDIA's driver, which is what an
// empty one stands for: the emulation for tests.
func OpenWith(name, driver string) (Device, error) {
	driver = cmp.Or(driver, cuda.Library)
	switch {
	case name == "cpu":
		return newCPU(""), nil
	case name == "auto" || name == "":
		return openBest(driver), nil
	case name == "cuda":
		name = "cuda:0"
	}
	ordinal, err := strconv.Atoi(strings.TrimPrefix(name, "cuda:"))
	if err != nil || !strings.HasPrefix(name, "cuda:") {
		return nil, fmt.Errorf("open device %q: %w", name, ErrNoDevice)
	}
	device, err := openCUDA(driver, ordinal)
	if err != nil {
		return nil, fmt.Errorf("open device %q: %w: %w", name, ErrNoDevice, err)
	}
	return device, nil
}

// openBest gives the first real card, else the CPU, with the reason.
func openBest(library string) Device {
	device, err := openCUDA(library, 0)
	if err != nil {
		return newCPU(err.Error())
	}
	if device.card.Driver().Emulated() {
		device.Close()
		return newCPU("no CUDA device: the driver is an emulation, test equipment")
	}
	device.reason = "the first CUDA device"
	return device
}
