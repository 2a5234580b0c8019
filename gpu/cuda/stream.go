package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"time"
	"unsafe"
)

// Stream is a queue of work, done in order and beside the other streams.
type Stream struct {
	device *Device
	handle unsafe.Pointer
}

// NewStream makes an empty queue.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{device: d}
	if err := d.use("make a stream", C.mr_cuda_stream(&d.c, &s.handle)); err != nil {
		return nil, err
	}
	return s, nil
}

// Handle is the CUstream, for other libraries of the driver.
func (s *Stream) Handle() unsafe.Pointer { return s.handle }

// Close lets queued work finish by itself.
func (s *Stream) Close() {
	C.mr_cuda_stream_destroy(&s.device.c, s.handle)
	s.device.drop()
}

// Upload copies from pinned memory to the card.
func (s *Stream) Upload(to unsafe.Pointer, from *Memory, size int) error {
	return s.device.fault("copy to the card", C.mr_cuda_upload(&s.device.c, s.handle, to, from.Address, C.size_t(size)))
}

// Download copies from the card to pinned memory.
func (s *Stream) Download(to *Memory, from unsafe.Pointer, size int) error {
	return s.device.fault("copy from the card", C.mr_cuda_download(&s.device.c, s.handle, to.Address, from, C.size_t(size)))
}

// Copy copies on the card.
func (s *Stream) Copy(to, from unsafe.Pointer, size int) error {
	return s.device.fault("copy on the card", C.mr_cuda_copy(&s.device.c, s.handle, to, from, C.size_t(size)))
}

// Grid is the shape of a launch.
type Grid struct{ Across, Down, Threads int }

// Launch starts a kernel whose one argument is an address on the card.
func (s *Stream) Launch(f Function, grid Grid, argument unsafe.Pointer) error {
	return s.device.fault("launch a kernel", C.mr_cuda_launch(&s.device.c, s.handle, f.handle,
		C.int(grid.Across), C.int(grid.Down), C.int(grid.Threads), argument))
}

// Submit copies the first bytes of host to list on the card, starts the kernel
// with list as its argument and records done.
func (s *Stream) Submit(f Function, grid Grid, list, host *Memory, size int, done *Event) error {
	return s.device.fault("submit a tick", C.mr_cuda_submit(&s.device.c, s.handle, f.handle, C.int(grid.Across), C.int(grid.Down),
		C.int(grid.Threads), list.Address, host.Address, C.size_t(size), done.handle))
}

// Record marks the end of what is queued now.
func (s *Stream) Record(e *Event) error {
	return s.device.fault("record an event", C.mr_cuda_record(&s.device.c, s.handle, e.handle))
}

// Wait lets what is queued later begin only after the event.
func (s *Stream) Wait(e *Event) error {
	return s.device.fault("wait on the card", C.mr_cuda_stream_wait(&s.device.c, s.handle, e.handle))
}

// Event is a mark in a stream. One that was never recorded has passed.
type Event struct {
	device *Device
	handle unsafe.Pointer
}

// NewEvent makes a mark; only a timed one can be measured with.
func (d *Device) NewEvent(timed bool) (*Event, error) {
	e := &Event{device: d}
	var flag C.int
	if timed {
		flag = 1
	}
	if err := d.use("make an event", C.mr_cuda_event(&d.c, flag, &e.handle)); err != nil {
		return nil, err
	}
	return e, nil
}

// Wait blocks until the mark has passed. After that long the error is ErrHang.
func (e *Event) Wait(limit time.Duration) error {
	return e.device.fault("wait for the card", C.mr_cuda_wait(&e.device.c, e.handle, C.long(limit.Microseconds())))
}

// Since is the time on the card between two marks that have passed.
func (e *Event) Since(start *Event) (time.Duration, error) {
	var milliseconds C.float
	err := e.device.fault("read a time", C.mr_cuda_elapsed(&e.device.c, start.handle, e.handle, &milliseconds))
	return time.Duration(float64(milliseconds) * float64(time.Millisecond)), err
}

// Close gives the mark back.
func (e *Event) Close() {
	C.mr_cuda_event_destroy(&e.device.c, e.handle)
	e.device.drop()
}
