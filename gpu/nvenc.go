package gpu

/*
#include <stdlib.h>
#include "card.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// nvencName is libavcodec's name of the card's H.264 encoder.
const nvencName = "h264_nvenc"

// cardEncoder is NVENC, fed with surfaces of the card: High or Main, no B-frames, no
// lookahead, IDRs only where asked. Its parameter sets have id 0.
type cardEncoder struct {
	cpuEncoder // of whose parts all but the calls that encode serve here too
	card       *cudaDevice
	frames     *C.AVBufferRef
}

func newCardEncoder(card *cudaDevice, config EncoderConfig) (Encoder, error) {
	coding, err := config.coding()
	if err != nil {
		return nil, err
	}
	e := &cardEncoder{card: card}
	e.coding = coding
	e.config, e.frame, e.packet = config, astiav.AllocFrame(), newPacket()
	if e.frame == nil || e.packet == nil {
		e.Close()
		return nil, errors.New("make encoder: out of memory")
	}
	if err := e.open(); err != nil {
		e.Close()
		return nil, fmt.Errorf("open %s for %v at %d bit/s: %w: %w", coding.nvenc, config.Size, config.Bitrate, errEncoder, err)
	}
	return e, nil
}

func (e *cardEncoder) open() error {
	if err := e.config.check(); err != nil {
		return err
	}
	level := 0
	if e.coding.codec == media.H264 {
		var err error
		if level, err = levelOf(e.config.Size, e.config.Rate, e.config.peak()); err != nil {
			return err
		}
	}
	codec := astiav.FindEncoderByName(e.coding.nvenc)
	if codec == nil {
		return errors.New("this FFmpeg has no " + e.coding.nvenc)
	}
	if e.context = astiav.AllocCodecContext(codec); e.context == nil {
		return errors.New("out of memory")
	}
	if e.card.ffmpeg.device == nil {
		return e.card.ffmpeg.nvenc
	}
	e.describe(level)
	width, height := C.int(e.config.Size.Width), C.int(e.config.Size.Height)
	if result := C.mr_card_frames(e.card.ffmpeg.device, width, height, &e.frames); result < 0 {
		return fmt.Errorf("describe surfaces: %w", astiav.Error(result))
	}
	context := (*C.AVCodecContext)(e.context.UnsafePointer())
	if result := C.mr_card_input(context, e.card.ffmpeg.device, e.frames); result < 0 {
		return astiav.Error(result)
	}
	if err := openCodec(e.context, codec, nil, nvencOptions(e.config, level)); err != nil {
		return err
	}
	track, err := e.coding.track(e.config, e.context.ExtraData())
	e.track = track
	return err
}

// nvencOptions are NVENC's own, by the names that FFmpeg gives them.
func nvencOptions(config EncoderConfig, level int) map[string]string {
	preset := config.Preset
	if !slices.Contains(nvencPresets(), preset) {
		preset = "p4" // x264's names mean nothing here
	}
	options := map[string]string{
		"preset": preset, "tune": "ull", "rc": "cbr", "delay": "0", "zerolatency": "1", "rc-lookahead": "0", "no-scenecut": "1", "forced-idr": "1",
		"b_ref_mode": "disabled", "strict_gop": "1",
	}
	switch config.Codec {
	case media.HEVC:
		options["profile"], options["tier"], options["aud"] = "main", "main", "0"
	case media.AV1:
		options["tier"] = "0"
	default:
		options["profile"], options["level"] = "high", fmt.Sprintf("%d.%d", level/10, level%10)
		options["aud"], options["coder"] = "0", "cabac"
	}
	return options
}

func nvencPresets() []string { return []string{"p1", "p2", "p3", "p4", "p5", "p6", "p7"} }

// checkNVENCOptions says which of the options for a codec this FFmpeg's encoder does
// not take. It needs no card.
func checkNVENCOptions(codec coding) error {
	if astiav.FindEncoderByName(codec.nvenc) == nil {
		return errors.New("this FFmpeg has no " + codec.nvenc)
	}
	options := nvencOptions(EncoderConfig{Codec: codec.codec}, 40)
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if err := takesOption(codec.nvenc, name, options[name]); err != nil {
			return err
		}
	}
	return nil
}

func takesOption(encoder, name, value string) error {
	cEncoder := C.CString(encoder)
	defer C.free(unsafe.Pointer(cEncoder))
	cName, cValue := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(cName))
	defer C.free(unsafe.Pointer(cValue))
	if result := C.mr_card_option(cEncoder, cName, cValue); result < 0 {
		return fmt.Errorf("%s of this FFmpeg does not take %s=%s: %w", encoder, name, value, astiav.Error(result))
	}
	return nil
}

func (e *cardEncoder) Name() string { return e.coding.nvenc }

// Encode waits until the picture is drawn and keeps it until NVENC has read it.
func (e *cardEncoder) Encode(f *Frame, frame int64, key bool) (AccessUnit, error) {
	if f.Size != e.config.Size {
		return AccessUnit{}, fmt.Errorf("encode frame %d: picture is %v, not %v", frame, f.Size, e.config.Size)
	}
	surface, err := e.card.surface(f)
	if err != nil {
		return AccessUnit{}, fmt.Errorf("encode frame %d: %w", frame, err)
	}
	defer surface.Release()
	key = key || e.count == 0
	result := C.mr_card_encode((*C.AVCodecContext)(e.context.UnsafePointer()), (*C.AVFrame)(e.frame.UnsafePointer()), (*C.AVPacket)(unsafe.Pointer(e.packet)),
		(*C.uint8_t)(surface.plane[0]), (*C.uint8_t)(surface.plane[1]), C.int(surface.stride[0]), C.int64_t(e.count), flag(key))
	unit, err := e.take(int(result), frame, key)
	if err != nil {
		return AccessUnit{}, fmt.Errorf("%w: %w", errEncoder, err)
	}
	return unit, nil
}

func (e *cardEncoder) Track() *media.Track { return e.track }

func (e *cardEncoder) Close() {
	e.cpuEncoder.Close()
	C.av_buffer_unref(&e.frames)
}
