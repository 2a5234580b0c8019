package gpu

/*
#cgo pkg-config: libavcodec libavutil libswscale
#include <stdlib.h>
#include "convert.h"
#include "video.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unsafe"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// cpuDecoder is libavcodec on one thread, with NVDEC behind it where a card is given.
type cpuDecoder struct {
	pool  *Pool
	limit int         // pixels
	card  *cudaDevice // decodes what NVDEC can; nil on the CPU

	track     *media.Track
	codec     *astiav.CodecContext // nil while the track cannot be decoded
	frame     *astiav.Frame
	packet    *C.AVPacket
	converter *C.mr_converter
	annexB    bool // packets are rewritten to start codes: the track has no config record

	shown media.Time // PTS of the newest frame shown
	any   bool       // one was shown
	stats DecoderStats

	surfaces int64 // frames that the card decoded
}

func newCPUDecoder(pool *Pool, track *media.Track) (Decoder, error) {
	return makeDecoder(pool, track, nil)
}

// makeDecoder decodes on the card, unless that is nil or NVDEC does not take the
// stream.
func makeDecoder(pool *Pool, track *media.Track, card *cudaDevice) (Decoder, error) {
	d := &cpuDecoder{pool: pool, limit: MaxPixels, card: card}
	d.frame = astiav.AllocFrame()
	d.packet = C.av_packet_alloc()
	d.converter = C.mr_converter_new()
	if d.frame == nil || d.packet == nil || d.converter == nil {
		d.Close()
		return nil, errors.New("make decoder: out of memory")
	}
	if err := d.open(track); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// decoderOf names the libavcodec decoder of a video codec; libdav1d is its
// only AV1 decoder in software.
func decoderOf(codec media.Codec) *astiav.Codec {
	switch codec {
	case media.H264:
		return astiav.FindDecoderByName("h264")
	case media.HEVC:
		return astiav.FindDecoderByName("hevc")
	case media.AV1:
		return astiav.FindDecoderByName("libdav1d")
	case media.VP8:
		return astiav.FindDecoderByName("vp8")
	case media.VP9:
		return astiav.FindDecoderByName("vp9")
	case media.MPEG2:
		return astiav.FindDecoderByName("mpeg2video")
	}
	return nil
}

// open replaces the codec by the track's.
func (d *cpuDecoder) open(track *media.Track) error {
	d.closeCodec()
	d.track = track
	codec := decoderOf(track.Codec)
	if codec == nil {
		return fmt.Errorf("open decoder of track %q: no decoder for codec %q", track.ID, track.Codec)
	}
	context := astiav.AllocCodecContext(codec)
	if context == nil {
		return fmt.Errorf("open decoder of track %q: out of memory", track.ID)
	}
	context.SetThreadCount(1)
	if track.Codec == media.AV1 {
		// One picture in flight. The others are left to reorder: they add no delay
		// to streams that need none, and with this flag lose the order of those that do.
		context.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagLowDelay))
	}
	context.SetTimeBase(astiav.NewRational(1, int(time.Second)))
	d.annexB = len(track.Config) == 0 && (track.Codec == media.H264 || track.Codec == media.HEVC)
	if err := d.useCard(context); err != nil {
		context.Free()
		return fmt.Errorf("open decoder of track %q: %w", track.ID, err)
	}
	if err := openCodec(context, codec, track.Config, map[string]string{
		"max_pixels": strconv.Itoa(MaxSide * MaxSide),
	}); err != nil {
		context.Free()
		return fmt.Errorf("open %s decoder of track %q: %w", codec.Name(), track.ID, err)
	}
	d.codec = context
	return nil
}

// openCodec opens a context with extradata and options.
func openCodec(context *astiav.CodecContext, codec *astiav.Codec, extradata []byte, options map[string]string) error {
	if err := context.SetExtraData(extradata); err != nil {
		return err
	}
	dictionary := astiav.NewDictionary()
	defer dictionary.Free()
	for key, value := range options {
		if err := dictionary.Set(key, value, 0); err != nil {
			return fmt.Errorf("set option %s: %w", key, err)
		}
	}
	return context.Open(codec, dictionary)
}

func (d *cpuDecoder) Decode(p *media.Packet, show func(*Frame)) error {
	if p.Track != nil && p.Track != d.track {
		d.Drain(show)
		if err := d.open(p.Track); err != nil {
			return err
		}
		d.any = false
	}
	if d.codec == nil {
		return fmt.Errorf("decode track %q: it has no decoder", d.track.ID)
	}
	d.stats.Packets++
	data := p.Data
	if d.annexB {
		data = startCodes(data)
	}
	if len(data) == 0 {
		d.stats.Errors++
		return nil
	}
	if C.mr_send(d.context(), d.packet, (*C.uint8_t)(&data[0]), C.int(len(data)), C.int64_t(p.PTS), flag(p.Key)) < 0 {
		d.stats.Errors++
	}
	return d.receive(show)
}

// receive shows what is ready.
func (d *cpuDecoder) receive(show func(*Frame)) error {
	// A decoder that reports errors without end is left alone until the next packet.
	for errs := 0; errs < 16; {
		err := d.codec.ReceiveFrame(d.frame)
		switch {
		case err == nil:
			if err := d.show(show); err != nil {
				return err
			}
		case errors.Is(err, astiav.ErrEagain), errors.Is(err, astiav.ErrEof):
			return nil
		default:
			d.stats.Errors++
			errs++
		}
	}
	return nil
}

// show hands on d.frame, converted where it must be.
func (d *cpuDecoder) show(show func(*Frame)) error {
	var decoded C.mr_decoded
	C.mr_describe((*C.AVFrame)(d.frame.UnsafePointer()), &decoded)
	size, pts := Size{int(decoded.width), int(decoded.height)}, media.Time(decoded.pts)
	if decoded.damaged != 0 {
		d.stats.Damaged++
	}
	if d.late(pts) {
		d.stats.Disorder++
		d.frame.Unref()
		return nil
	}
	if err := size.check(); err != nil || size.Width*size.Height > d.limit {
		d.frame.Unref()
		return fmt.Errorf("decode track %q: picture of %v is too large or too small", d.track.ID, size)
	}
	f, err := d.finish(&decoded, size)
	if err != nil {
		return fmt.Errorf("decode track %q: %w", d.track.ID, err)
	}
	f.PTS, f.Aspect = pts, pixelAspect(float64(decoded.aspect))
	d.shown, d.any = pts, true
	d.stats.Frames++
	show(f)
	return nil
}

// late reports whether a frame comes after one that should follow it. A step
// back of more than a second is a new timeline.
func (d *cpuDecoder) late(pts media.Time) bool {
	return d.any && pts <= d.shown && d.shown.Sub(pts) < time.Second
}

// pixelAspect refuses shapes that no camera has.
func pixelAspect(aspect float64) float64 {
	if aspect < 0.25 || aspect > 4 {
		return 1
	}
	return aspect
}

// finish empties d.frame into a frame of ours: its memory where the pixels are
// right as they are, else a converted copy.
func (d *cpuDecoder) finish(decoded *C.mr_decoded, size Size) (*Frame, error) {
	if d.frame.PixelFormat() == astiav.PixelFormatCuda {
		if f, err := d.finishOnCard(size); f != nil || err != nil {
			return f, err
		}
	}
	if decoded.ready != 0 {
		body := &decodedMemory{astiav.AllocFrame()}
		body.frame.MoveRef(d.frame)
		f := &Frame{Size: size, body: body}
		for i := range f.plane {
			f.plane[i] = unsafe.Pointer(decoded.plane[i])
			f.stride[i] = int(decoded.stride[i])
		}
		return d.pool.issue(f), nil
	}
	defer d.frame.Unref()
	f, err := d.pool.Get(size)
	if err != nil {
		return nil, err
	}
	plane, stride := f.c()
	if C.mr_convert(d.converter, (*C.AVFrame)(d.frame.UnsafePointer()), &plane[0], &stride[0]) < 0 {
		f.Release()
		return nil, fmt.Errorf("pixel format %v cannot be converted", d.frame.PixelFormat())
	}
	return f, nil
}

// c are the planes and strides of f for C.
func (f *Frame) c() (plane [3]*C.uint8_t, stride [3]C.int) {
	for i := range f.plane {
		plane[i], stride[i] = (*C.uint8_t)(f.plane[i]), C.int(f.stride[i])
	}
	return plane, stride
}

// decodedMemory is a picture of libavcodec's, which may be a reference of the
// pictures to come: read-only.
type decodedMemory struct{ frame *astiav.Frame }

func (m *decodedMemory) recycle() bool { return false }
func (m *decodedMemory) free()         { m.frame.Free() }

func (d *cpuDecoder) Drain(show func(*Frame)) {
	if d.codec == nil {
		return
	}
	if err := d.codec.SendPacket(nil); err == nil {
		if err := d.receive(show); err != nil {
			d.stats.Errors++
		}
	}
	C.mr_flush(d.context())
	d.any = false
}

func (d *cpuDecoder) context() *C.AVCodecContext {
	return (*C.AVCodecContext)(d.codec.UnsafePointer())
}

func (d *cpuDecoder) Stats() DecoderStats { return d.stats }

func (d *cpuDecoder) closeCodec() {
	if d.codec != nil {
		d.codec.Free()
		d.codec = nil
	}
}

func (d *cpuDecoder) Close() {
	d.closeCodec()
	if d.frame != nil {
		d.frame.Free()
	}
	C.av_packet_free(&d.packet)
	C.mr_converter_free(d.converter)
	d.converter = nil
}

func flag(v bool) C.int {
	if v {
		return 1
	}
	return 0
}
