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
	d.pinned = &Pool{limit: idleLimit, allocate: d.allocatePinned}
	d.memory = &Pool{limit: cardIdleLimit, allocate: d.allocateCard}
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
	return d, nil
}

func (d *cudaDevice) Info() Info {
	return Info{Name: fmt.Sprintf("cuda:%d", d.ordinal), Card: d.card.Name, Encoder: "libx264", Reason: d.reason}
}

func (d *cudaDevice) NewFrame(size Size) (*Frame, error) { return d.host.Get(size) }

func (d *cudaDevice) NewCompositor(config CompositorConfig) (Compositor, error) {
	return newCUDACompositor(d, config)
}

// NewDecoder decodes on the CPU. Its frames go up to the card in the decoder's
// goroutine, so that the tick finds them there.
func (d *cudaDevice) NewDecoder(track *media.Track) (Decoder, error) {
	decoder, err := newCPUDecoder(d.host, track)
	if err != nil {
		return nil, err
	}
	return uploadingDecoder{decoder, d}, nil
}

func (d *cudaDevice) NewEncoder(config EncoderConfig) (Encoder, error) {
	encoder, err := newCPUEncoder(config)
	if err != nil {
		return nil, err
	}
	return downloadingEncoder{encoder}, nil
}

// Outstanding counts the copies of a frame on the card with it.
func (d *cudaDevice) Outstanding() int {
	return d.host.Outstanding() + d.pinned.Outstanding() + d.memory.Outstanding()
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
