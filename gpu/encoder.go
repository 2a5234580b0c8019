package gpu

/*
#include "video.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// peak is the highest bit rate within a second, as a share of the nominal one.
func (c EncoderConfig) peak() int { return c.Bitrate + c.Bitrate/10 }

// cpuEncoder is x264: High, no B-frames, no lookahead, IDRs only where asked.
type cpuEncoder struct {
	config  EncoderConfig
	context *astiav.CodecContext
	frame   *astiav.Frame
	packet  *C.AVPacket
	coding  coding
	track   *media.Track
	count   int64 // frames taken: the encoder's clock
}

func newCPUEncoder(config EncoderConfig) (Encoder, error) {
	coding, err := config.coding()
	if err != nil {
		return nil, err
	}
	if coding.codec != media.H264 {
		return nil, fmt.Errorf("%w: %s is encoded by cards only", ErrNoEncoder, coding.words)
	}
	e := &cpuEncoder{config: config, coding: coding, frame: astiav.AllocFrame(), packet: C.av_packet_alloc()}
	if e.frame == nil || e.packet == nil {
		e.Close()
		return nil, errors.New("make encoder: out of memory")
	}
	if err := e.open(); err != nil {
		e.Close()
		return nil, fmt.Errorf("open x264 for %v at %d bit/s: %w", config.Size, config.Bitrate, err)
	}
	return e, nil
}

func (c EncoderConfig) check() error {
	if err := c.Size.check(); err != nil {
		return err
	}
	if c.Size.Width%2 != 0 || c.Size.Height%2 != 0 {
		return fmt.Errorf("%v is not of even sides", c.Size)
	}
	if c.Rate.Num <= 0 || c.Rate.Den <= 0 {
		return fmt.Errorf("%w: %v", media.ErrRate, c.Rate)
	}
	if c.Bitrate < 1000 || c.ParameterSet < 0 || c.ParameterSet > 31 {
		return fmt.Errorf("bit rate %d or parameter set id %d out of range", c.Bitrate, c.ParameterSet)
	}
	return nil
}

func (e *cpuEncoder) open() error {
	if err := e.config.check(); err != nil {
		return err
	}
	level, err := levelOf(e.config.Size, e.config.Rate, e.config.peak())
	if err != nil {
		return err
	}
	codec := astiav.FindEncoderByName("libx264")
	if codec == nil {
		return errors.New("this FFmpeg has no libx264")
	}
	if e.context = astiav.AllocCodecContext(codec); e.context == nil {
		return errors.New("out of memory")
	}
	e.describe(level)
	if err := openCodec(e.context, codec, nil, e.options()); err != nil {
		return err
	}
	e.track, err = e.coding.track(e.config, e.context.ExtraData())
	return err
}

// describe sets what every encoder has. A level of 0 is the encoder's choice.
func (e *cpuEncoder) describe(level int) {
	c, config := e.context, e.config
	c.SetWidth(config.Size.Width)
	c.SetHeight(config.Size.Height)
	c.SetPixelFormat(astiav.PixelFormatYuv420P)
	c.SetSampleAspectRatio(astiav.NewRational(1, 1))
	c.SetFramerate(astiav.NewRational(int(config.Rate.Num), int(config.Rate.Den)))
	c.SetTimeBase(astiav.NewRational(int(config.Rate.Den), int(config.Rate.Num)))
	c.SetThreadCount(max(config.Threads, 1))
	if level > 0 {
		c.SetLevel(astiav.Level(level))
	}
	c.SetBitRate(int64(config.Bitrate))
	c.SetRateControlMaxRate(int64(config.peak()))
	c.SetRateControlBufferSize(config.peak())
	c.SetGopSize(math.MaxInt32)
	c.SetMaxBFrames(0)
	c.SetColorRange(astiav.ColorRangeMpeg)
	c.SetColorSpace(astiav.ColorSpaceBt709)
	c.SetColorPrimaries(astiav.ColorPrimariesBt709)
	c.SetColorTransferCharacteristic(astiav.ColorTransferCharacteristicBt709)
	c.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
}

// options are x264's own.
func (e *cpuEncoder) options() map[string]string {
	preset := e.config.Preset
	if preset == "" {
		preset = "veryfast"
	}
	parameters := []string{
		"keyint=infinite", "min-keyint=1", "scenecut=0", "bframes=0",
		"8x8dct=1", "cabac=1", // High profile with every preset
		fmt.Sprintf("sps-id=%d", e.config.ParameterSet),
	}
	return map[string]string{
		"preset": preset, "tune": "zerolatency", "profile": "high", "forced-idr": "1",
		"x264-params": strings.Join(parameters, ":"),
	}
}

func (e *cpuEncoder) Name() string { return "libx264" }

func (e *cpuEncoder) Track() *media.Track { return e.track }

func (e *cpuEncoder) Encode(f *Frame, frame int64, key bool) (AccessUnit, error) {
	if f.Size != e.config.Size {
		return AccessUnit{}, fmt.Errorf("encode frame %d: picture is %v, not %v", frame, f.Size, e.config.Size)
	}
	key = key || e.count == 0
	plane, stride := f.c()
	f.Retain()
	defer f.Release()
	result := C.mr_encode((*C.AVCodecContext)(e.context.UnsafePointer()), (*C.AVFrame)(e.frame.UnsafePointer()),
		e.packet, &plane[0], &stride[0], C.int64_t(e.count), flag(key))
	return e.take(int(result), frame, key)
}

// take gives the access unit of the packet that an encoder has just given.
func (e *cpuEncoder) take(result int, frame int64, key bool) (AccessUnit, error) {
	if result < 0 {
		return AccessUnit{}, fmt.Errorf("encode frame %d: %w", frame, astiav.Error(result))
	}
	defer C.av_packet_unref(e.packet)
	if int64(e.packet.pts) != e.count {
		return AccessUnit{}, fmt.Errorf("encode frame %d: the encoder gave picture %d for %d", frame, e.packet.pts, e.count)
	}
	e.count++
	unit := AccessUnit{Frame: frame}
	unit.Data, unit.Key = e.coding.cut(unsafe.Slice((*byte)(e.packet.data), int(e.packet.size)), e.track)
	if len(unit.Data) == 0 || unit.Key != key {
		return AccessUnit{}, fmt.Errorf("encode frame %d: the encoder gave an access unit of %d bytes, IDR %v",
			frame, len(unit.Data), unit.Key)
	}
	return unit, nil
}

func newPacket() *C.AVPacket { return C.av_packet_alloc() }

func (e *cpuEncoder) Close() {
	if e.context != nil {
		e.context.Free()
		e.context = nil
	}
	if e.frame != nil {
		e.frame.Free()
	}
	C.av_packet_free(&e.packet)
}
