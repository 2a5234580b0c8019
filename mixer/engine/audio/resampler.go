package audio

/*
#cgo pkg-config: libavutil libswresample
#include "resample.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/asticode/go-astiav"
)

// resampler turns decoded frames of one format into stereo on the grid's rate.
// Its output stands where its input stood: the filter's delay is part of
// pending. One goroutine.
type resampler struct {
	swr    *C.SwrContext
	rate   C.int
	format C.int
	layout C.AVChannelLayout
	out    Block
}

// newResampler is for frames with the format of like.
func newResampler(like *astiav.Frame) (*resampler, error) {
	frame := (*C.AVFrame)(like.UnsafePointer())
	r := &resampler{rate: frame.sample_rate, format: frame.format}
	if code := C.resample_open(&r.swr, frame, Hz); code < 0 {
		return nil, fmt.Errorf("open resampler from %d Hz: %w", int(r.rate), astiav.Error(code))
	}
	if code := C.resample_layout(&r.layout, frame); code < 0 {
		r.close()
		return nil, fmt.Errorf("read channel layout: %w", astiav.Error(code))
	}
	return r, nil
}

func (r *resampler) matches(f *astiav.Frame) bool {
	return C.resample_matches((*C.AVFrame)(f.UnsafePointer()), r.rate, r.format, &r.layout) != 0
}

// pending is how many grid samples of what it took have not come out.
func (r *resampler) pending() int64 { return max(int64(C.swr_get_delay(r.swr, Hz)), 0) }

// bend adds stretch samples to each 48,000 that come out from now on.
func (r *resampler) bend(stretch int) error {
	if code := C.swr_set_compensation(r.swr, C.int(stretch), Hz); code < 0 {
		return fmt.Errorf("bend resampler by %d: %w", stretch, astiav.Error(code))
	}
	return nil
}

// convert gives the samples that became ready, valid until the next call. A
// nil frame drains the rest.
func (r *resampler) convert(f *astiav.Frame) (Block, error) {
	var frame *C.AVFrame
	var samples C.int
	if f != nil {
		frame = (*C.AVFrame)(f.UnsafePointer())
		samples = frame.nb_samples
	}
	room := int(C.swr_get_out_samples(r.swr, samples))
	if room <= 0 {
		return Block{}, nil
	}
	room += room/32 + 32 // what bending may add
	if r.out.Len() < room {
		r.out = NewBlock(room)
	}
	n := C.resample_convert(r.swr, frame, (*C.float)(unsafe.Pointer(&r.out[0][0])), (*C.float)(unsafe.Pointer(&r.out[1][0])), C.int(room))
	if n < 0 {
		return Block{}, fmt.Errorf("resample: %w", astiav.Error(n))
	}
	return r.out.Slice(0, int(n)), nil
}

func (r *resampler) close() {
	C.swr_free(&r.swr)
	C.av_channel_layout_uninit(&r.layout)
}

// store fills an allocated stereo float planar frame with samples.
func store(f *astiav.Frame, samples Block) {
	frame := (*C.AVFrame)(f.UnsafePointer())
	for c := range samples {
		copy(unsafe.Slice((*float32)(unsafe.Pointer(frame.data[c])), int(frame.nb_samples)), samples[c])
	}
}

// storePacked is store for a frame that takes left and right in turns.
func storePacked(f *astiav.Frame, samples Block) {
	frame := (*C.AVFrame)(f.UnsafePointer())
	packed := unsafe.Slice((*float32)(unsafe.Pointer(frame.data[0])), 2*int(frame.nb_samples))
	left, right := samples[0], samples[1][:len(samples[0])]
	for i, v := range left {
		packed[2*i], packed[2*i+1] = v, right[i]
	}
}
