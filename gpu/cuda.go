package gpu

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"millrace/gpu/cuda"
	"millrace/gpu/kernels"
	"millrace/internal/media"
)

// patience is how long the card may take for one piece of work. It is far beyond
// a tick: who waits longer waits for a card that is wedged.
const patience = 2 * time.Second

// emulatedPatience is that for the emulation, which computes on a CPU that others
// use too.
const emulatedPatience = 10 * time.Second

// cardIdleLimit is what a CUDA device keeps for reuse on the card, bytes.
const cardIdleLimit = 256 << 20

// cudaDevice composes on an NVIDIA card. Decoders and encoders are the CPU's:
// pictures go up once when they are decoded, and down once per rung.
type cudaDevice struct {
	ordinal  int
	reason   string
	patience time.Duration
	card     *cuda.Device
	module   *cuda.Module
	compose  cuda.Function

	host   *Pool // what decoders and test patterns write
	pinned *Pool // what came down
	memory *Pool // on the card
	// surfaces are on the card as NV12. Compositions are drawn to them where NVENC reads them.
	surfaces *Pool
	ffmpeg   *ffmpegCard

	mu     sync.Mutex // of what follows and of the mirrors of frames
	lanes  []*lane    // idle ones
	closed bool
}

// openCUDA opens a card and proves its kernel. The error says why it cannot be
// used.
func openCUDA(library string, ordinal int) (*cudaDevice, error) {
	driver, err := cuda.Load(library)
	if err != nil {
		return nil, err
	}
	card, err := driver.Open(ordinal)
	if err != nil {
		return nil, err
	}
	d := &cudaDevice{ordinal: ordinal, patience: patience, card: card, host: newCPU("").pool}
	if driver.Emulated() {
		d.patience = emulatedPatience
	}
	d.pinned = &Pool{limit: idleLimit, allocate: d.allocatePinned}
	d.memory = &Pool{limit: cardIdleLimit, allocate: d.allocateCard}
	d.surfaces = &Pool{limit: cardIdleLimit, allocate: d.allocateSurface}
	if d.module, err = card.LoadModule(kernels.PTX); err == nil {
		d.compose, err = d.module.Function(kernels.Function)
	}
	if err == nil {
		err = d.prove()
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("use %s: %w", card.Name, err)
	}
	d.openFFmpeg()
	return d, nil
}

func (d *cudaDevice) Info() Info {
	info := Info{Name: fmt.Sprintf("cuda:%d", d.ordinal), Card: d.card.Name, Encoder: nvencName, Reason: d.reason}
	if d.ffmpeg.nvenc != nil {
		info.Encoder, info.Reason = "libx264", "no NVENC: "+d.ffmpeg.nvenc.Error()
	}
	return info
}

// drawn is the memory that compositions are drawn to.
func (d *cudaDevice) drawn() *Pool {
	if d.ffmpeg == nil || d.ffmpeg.nvenc != nil { // x264 reads planes
		return d.memory
	}
	return d.surfaces
}

func (d *cudaDevice) NewFrame(size Size) (*Frame, error) { return d.host.Get(size) }

func (d *cudaDevice) NewCompositor(config CompositorConfig) (Compositor, error) {
	return newCUDACompositor(d, config)
}

// NewDecoder decodes on the card where NVDEC takes the stream, else on the CPU. What
// the CPU decoded goes up to the card in the decoder's goroutine, so that the tick
// finds it there.
func (d *cudaDevice) NewDecoder(track *media.Track) (Decoder, error) {
	var card *cudaDevice
	if d.ffmpeg.nvdec == nil {
		card = d
	}
	decoder, err := makeDecoder(d.host, track, card)
	if err != nil {
		return nil, err
	}
	return uploadingDecoder{decoder, d}, nil
}

// NewEncoder gives NVENC for parameter set 0, the only id that it writes, unless x264
// is asked for. HEVC and AV1 are NVENC's only.
func (d *cudaDevice) NewEncoder(config EncoderConfig) (Encoder, error) {
	coding, err := config.coding()
	if err != nil {
		return nil, err
	}
	if d.ffmpeg.nvenc == nil && config.ParameterSet == 0 && !config.Software {
		if err := checkNVENCOptions(coding); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoEncoder, err)
		}
		return newCardEncoder(d, config)
	}
	if coding.codec != media.H264 && d.ffmpeg.nvenc != nil {
		return nil, fmt.Errorf("%w: %s is encoded by NVENC only: %w", ErrNoEncoder, coding.words, d.ffmpeg.nvenc)
	}
	encoder, err := newCPUEncoder(config)
	if err != nil {
		return nil, err
	}
	return downloadingEncoder{encoder}, nil
}

// Outstanding counts the copies of a frame on the card with it.
func (d *cudaDevice) Outstanding() int {
	return d.host.Outstanding() + d.pinned.Outstanding() + d.memory.Outstanding() + d.surfaces.Outstanding()
}

func (d *cudaDevice) Close() {
	d.mu.Lock()
	lanes := d.lanes
	d.lanes, d.closed = nil, true
	d.mu.Unlock()
	for _, l := range lanes {
		l.close()
	}
	d.host.Close()
	d.pinned.Close()
	d.memory.Close()
	d.surfaces.Close()
	d.ffmpeg.close()
	if d.module != nil {
		d.module.Close()
		d.module = nil
	}
	d.card.Close()
}

// uploadingDecoder sends every picture up as it is shown.
type uploadingDecoder struct {
	Decoder
	device *cudaDevice
}

func (u uploadingDecoder) Decode(p *media.Packet, show func(*Frame)) error {
	failed, show := u.upload(show)
	return errors.Join(u.Decoder.Decode(p, show), *failed)
}

func (u uploadingDecoder) Drain(show func(*Frame)) {
	_, show = u.upload(show) // the compositor meets the same failure
	u.Decoder.Drain(show)
}

// upload wraps show. A picture that did not go up is shown all the same.
func (u uploadingDecoder) upload(show func(*Frame)) (failed *error, uploading func(*Frame)) {
	failed = new(error)
	return failed, func(f *Frame) {
		if _, err := u.device.onCard(f); err != nil {
			*failed = fmt.Errorf("upload a picture: %w", err)
		}
		show(f)
	}
}

// downloadingEncoder fetches every picture from where it is.
type downloadingEncoder struct{ Encoder }

func (e downloadingEncoder) Encode(f *Frame, frame int64, key bool) (AccessUnit, error) {
	host, err := f.Download()
	if err != nil {
		return AccessUnit{}, fmt.Errorf("encode frame %d: %w", frame, err)
	}
	defer host.Release()
	return e.Encoder.Encode(host, frame, key)
}
