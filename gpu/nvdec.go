package gpu

/*
#include "card.h"
#include "video.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/asticode/go-astiav"
)

// useCard lets the codec decode on the card. FFmpeg copies each picture out of
// NVDEC's own into a surface of a pool that grows; the surfaces in use are the
// frames outstanding, which the mixer bounds (picturesAhead per source).
func (d *cpuDecoder) useCard(context *astiav.CodecContext) error {
	if d.card == nil || d.card.ffmpeg.device == nil {
		return nil
	}
	if result := C.mr_card_decode((*C.AVCodecContext)(context.UnsafePointer()), d.card.ffmpeg.device); result < 0 {
		return astiav.Error(result)
	}
	return nil
}

// finishOnCard empties d.frame, a surface of the card, into a frame of ours that
// shares it. nil without an error: its colours or fields need the CPU, and d.frame
// is in host memory now.
func (d *cpuDecoder) finishOnCard(size Size) (*Frame, error) {
	if C.mr_is_surface((*C.AVFrame)(d.frame.UnsafePointer())) == 0 {
		return nil, d.fetch()
	}
	if err := d.card.settleDecoding(); err != nil {
		d.frame.Unref()
		return nil, err
	}
	var decoded C.mr_decoded
	C.mr_describe((*C.AVFrame)(d.frame.UnsafePointer()), &decoded)
	body := &decodedMemory{astiav.AllocFrame()}
	body.frame.MoveRef(d.frame)
	f := &Frame{Size: size, body: body, card: d.card, step: [3]int{1, 2, 2}}
	for i := range 2 {
		f.plane[i], f.stride[i] = unsafe.Pointer(decoded.plane[i]), int(decoded.stride[i])
	}
	f.plane[2], f.stride[2] = unsafe.Add(f.plane[1], 1), f.stride[1]
	d.surfaces++
	return d.pool.issue(f), nil
}

// fetch brings d.frame to the host.
func (d *cpuDecoder) fetch() error {
	if result := C.mr_fetch((*C.AVFrame)(d.frame.UnsafePointer())); result < 0 {
		d.frame.Unref()
		return fmt.Errorf("fetch a picture from the card: %w", astiav.Error(result))
	}
	return nil
}

// settleDecoding waits for NVDEC's copies that are queued.
func (d *cudaDevice) settleDecoding() error {
	done, err := d.card.NewEvent(false)
	if err != nil {
		return err
	}
	defer done.Close()
	if err := d.ffmpeg.stream.Record(done); err != nil {
		return err
	}
	return done.Wait(d.patience)
}
