package audio

/*
#cgo pkg-config: opus libavutil
#include <libavutil/frame.h>
#include <opus.h>
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

const (
	opusLongest = 120 * Hz / 1000 // samples of a packet (RFC 6716 §2.1.4)
	// concealed is the longest hole that is filled, in samples, unless one
	// packet is longer: what libopus makes up for more resembles nothing.
	concealed = 60 * Hz / 1000
)

// opusDecoder decodes the Opus of one or two channels by libopus itself, which
// can do what FFmpeg does not ask it for: where packets are missing before one,
// it makes their sound of the copy that this one may carry of the packet before
// it (in-band FEC, RFC 6716 §2.1.7) and of what was heard last. A pause of the
// publisher (DTX) looks the same and is filled with its background. One
// goroutine.
type opusDecoder struct {
	state  *C.OpusDecoder
	frame  *astiav.Frame // interleaved floats, room for opusLongest
	end    media.Time    // of the newest packet's sound
	length int           // samples of the newest packet; 0: there was none
}

// plainOpus says whether a track's packets are one Opus stream each, without a
// header that says more.
func plainOpus(track *media.Track) bool {
	return track.Codec == media.Opus && (track.Channels == 1 || track.Channels == 2) && !bytes.HasPrefix(track.Config, []byte("OpusHead"))
}

func newOpusDecoder(channels int) (*opusDecoder, error) {
	d := &opusDecoder{frame: astiav.AllocFrame()}
	d.frame.SetSampleFormat(astiav.SampleFormatFlt)
	d.frame.SetSampleRate(Hz)
	d.frame.SetChannelLayout(astiav.ChannelLayoutMono)
	if channels == 2 {
		d.frame.SetChannelLayout(astiav.ChannelLayoutStereo)
	}
	d.frame.SetNbSamples(opusLongest)
	if err := d.frame.AllocBuffer(0); err != nil {
		d.close()
		return nil, fmt.Errorf("open Opus decoder: %w", err)
	}
	var code C.int
	if d.state = C.opus_decoder_create(Hz, C.int(channels), &code); d.state == nil {
		d.close()
		return nil, fmt.Errorf("open Opus decoder: %w", opusError(code))
	}
	return d, nil
}

// hole is the time before a packet that decode fills: whole packets as long as
// the one before.
func (d *opusDecoder) hole(p *media.Packet) time.Duration {
	return time.Duration(d.missing(p)) * time.Second / Hz
}

// missing is hole in samples. A gap that is no multiple of a packet is a
// publisher's timestamps going elsewhere, not a loss.
func (d *opusDecoder) missing(p *media.Packet) int {
	gap := p.PTS.Sub(d.end)
	if d.length == 0 || gap <= 0 || gap > time.Second {
		return 0
	}
	samples := int(gap * Hz / time.Second)
	whole := (samples + d.length/2) / d.length * d.length
	if off := max(samples-whole, whole-samples); off > d.length/4 || whole > max(concealed, d.length) {
		return 0
	}
	return whole
}

// decode fills the hole before an access unit, decodes it, and shows what came
// of either. A frame is valid during the call only.
func (d *opusDecoder) decode(p *media.Packet, show func(*astiav.Frame) error) error {
	if len(p.Data) == 0 { // libopus would take it for a loss
		return errors.New("decode Opus: empty packet")
	}
	if missing := d.missing(p); missing > 0 {
		// Of several packets only the last is in p; libopus conceals the others,
		// and all of them where p has no copy.
		if err := d.run(p.Data, missing, true, show); err != nil {
			return err
		}
		d.end = p.PTS // filled, even if p turns out to be damaged
	}
	if err := d.run(p.Data, opusLongest, false, show); err != nil {
		return err
	}
	d.length = d.frame.NbSamples()
	d.end = p.PTS.Add(time.Duration(d.length) * time.Second / Hz)
	return nil
}

// run decodes a packet, of at most room samples, or the loss of exactly room
// samples before it.
func (d *opusDecoder) run(data []byte, room int, lost bool, show func(*astiav.Frame) error) error {
	fec := C.int(0)
	if lost {
		fec = 1
	}
	out := (*C.float)(unsafe.Pointer((*C.AVFrame)(d.frame.UnsafePointer()).data[0]))
	n := C.opus_decode_float(d.state, (*C.uchar)(unsafe.SliceData(data)), C.opus_int32(len(data)), out, C.int(room), fec)
	if n < 0 {
		return fmt.Errorf("decode Opus: %w", opusError(n))
	}
	d.frame.SetNbSamples(int(n))
	return show(d.frame)
}

func opusError(code C.int) error { return errors.New(C.GoString(C.opus_strerror(code))) }

func (d *opusDecoder) close() {
	d.frame.Free()
	if d.state != nil {
		C.opus_decoder_destroy(d.state)
	}
}
