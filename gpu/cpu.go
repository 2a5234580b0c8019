package gpu

import (
	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// idleLimit is what the CPU device keeps for reuse, bytes: a few 4K canvases
// with their ladders.
const idleLimit = 128 << 20

// cpu is the device that every machine has.
type cpu struct {
	reason string
	pool   *Pool
}

func newCPU(reason string) *cpu {
	// FFmpeg writes to stderr by itself, a line for every damaged packet. What it
	// would say is counted instead.
	astiav.SetLogLevel(astiav.LogLevelFatal)
	return &cpu{reason, NewPool(idleLimit)}
}

func (c *cpu) Info() Info { return Info{Name: "cpu", Encoder: "libx264", Reason: c.reason} }

func (c *cpu) NewDecoder(track *media.Track) (Decoder, error) { return newCPUDecoder(c.pool, track) }

func (c *cpu) NewCompositor(config CompositorConfig) (Compositor, error) {
	return newCPUCompositor(c.pool, config)
}

func (c *cpu) NewEncoder(config EncoderConfig) (Encoder, error) { return newCPUEncoder(config) }

func (c *cpu) NewFrame(size Size) (*Frame, error) { return c.pool.Get(size) }

func (c *cpu) Outstanding() int { return c.pool.Outstanding() }

func (c *cpu) Close() { c.pool.Close() }
