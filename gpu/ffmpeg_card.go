package gpu

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "card.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/asticode/go-astiav"

	"millrace/gpu/cuda"
)

// ffmpegCard is FFmpeg's hold on the card, for NVDEC and NVENC.
type ffmpegCard struct {
	device *C.AVBufferRef
	stream *cuda.Stream // of NVDEC's copies
	nvdec  error        // why it decodes nothing; nil when it does
	nvenc  error        // likewise
}

// errEmulated is why test equipment does not decode or encode.
var errEmulated = errors.New("the driver is an emulation for tests, which has neither NVDEC nor NVENC")

// openFFmpeg gives FFmpeg the card's context. It loads the driver's libraries while
// the process may still read files. NVENC and NVDEC have not been run on a card yet:
// what cannot be opened is replaced by the CPU.
func (d *cudaDevice) openFFmpeg() {
	d.ffmpeg = &ffmpegCard{nvdec: errEmulated, nvenc: errEmulated}
	if d.card.Driver().Emulated() {
		return
	}
	d.ffmpeg.nvdec, d.ffmpeg.nvenc = preload("libnvcuvid.so.1"), preload("libnvidia-encode.so.1")
	if d.ffmpeg.nvenc == nil {
		d.ffmpeg.nvenc = checkNVENCOptions(codings()[0])
	}
	stream, err := d.card.NewStream()
	if err == nil {
		d.ffmpeg.stream = stream
		if result := C.mr_card_device(d.card.Context(), stream.Handle(), &d.ffmpeg.device); result < 0 {
			err = fmt.Errorf("give FFmpeg the card: %w", astiav.Error(result))
		}
	}
	if err != nil {
		d.ffmpeg.nvdec, d.ffmpeg.nvenc = errors.Join(d.ffmpeg.nvdec, err), errors.Join(d.ffmpeg.nvenc, err)
	}
}

// preload opens a library of the driver, so that FFmpeg finds it in a process that
// may open no more files.
func preload(library string) error {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	if C.dlopen(name, C.RTLD_NOW) == nil {
		return fmt.Errorf("%s is not installed beside the driver: %s", library, C.GoString(C.dlerror()))
	}
	return nil
}

func (f *ffmpegCard) close() {
	if f == nil {
		return
	}
	C.av_buffer_unref(&f.device)
	if f.stream != nil {
		f.stream.Close()
	}
}
