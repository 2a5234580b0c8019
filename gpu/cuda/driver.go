// Package cuda drives NVIDIA cards through the driver API, which it loads at run
// time: it builds without a toolkit and the binary starts where no driver is.
// Methods may be called from any goroutine unless they say otherwise.
package cuda

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Library is the driver's name on every Linux.
const Library = "libcuda.so.1"

// What a card and its driver must be, at least.
const (
	minVersion    = 11040 // CUDA 11.4, driver 470
	minCapability = 75    // 7.5, Turing: what the kernels are compiled for
)

// Causes that a caller branches on.
var (
	ErrNoDriver = errors.New("no CUDA driver")
	ErrMemory   = errors.New("the card has no memory left")
	ErrLost     = errors.New("the card is lost to this process")
	ErrHang     = errors.New("the card does not answer")
)

// Driver is the loaded library. It is never unloaded: drivers do not bear that.
type Driver struct {
	c       *C.mr_cuda_driver
	version int // 1000*major + 10*minor of the newest CUDA that it knows
	devices int
}

// Load opens the driver library and initialises it. An error says in words what
// is missing and wraps ErrNoDriver where there is no usable driver.
func Load(library string) (*Driver, error) {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	var why [256]C.char
	d := &Driver{c: C.mr_cuda_load(name, &why[0], C.size_t(len(why)))}
	if d.c == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoDriver, C.GoString(&why[0]))
	}
	var version, devices C.int
	result := C.mr_cuda_init(d.c, &version, &devices)
	d.version, d.devices = int(version), int(devices)
	switch {
	case result == noDevice, result == 0 && d.devices == 0:
		return nil, fmt.Errorf("%w: the driver is there, but no card that it can use", ErrNoDriver)
	case result != 0:
		return nil, fmt.Errorf("%w: %w", ErrNoDriver, d.fault("initialise the driver", result))
	case d.version < minVersion:
		return nil, fmt.Errorf("%w: driver too old: it knows CUDA %s, %s is needed", ErrNoDriver, dotted(d.version), dotted(minVersion))
	}
	return d, nil
}

// Version is the newest CUDA version that the driver knows, "12.4".
func (d *Driver) Version() string { return dotted(d.version) }

// Devices is the number of cards.
func (d *Driver) Devices() int { return d.devices }

// Emulated says that this is the emulation for tests: it computes on the CPU, and
// its times mean nothing.
func (d *Driver) Emulated() bool { return C.mr_cuda_emulated(d.c) != 0 }

// Live is what the emulation for tests has made and not got back.
func (d *Driver) Live() int { return int(C.mr_cuda_live(d.c)) }

func dotted(version int) string { return fmt.Sprintf("%d.%d", version/1000, version%1000/10) }

// Codes of the driver API (cuda.h, CUresult).
const (
	outOfMemory = 2
	noDevice    = 100
	gaveUp      = -1 // ours: a wait that ended without an answer
)

// lost are the codes after which a process can no longer use the card: sticky
// errors of a context, uncorrectable memory, a card off the bus.
func lost(code int) bool {
	switch code {
	case 4, 46, 201, 214, 220, 226, 702, 709, 710, 999:
		return true
	}
	return code == 700 || 714 <= code && code <= 719
}

// Error is a call that the driver refused.
type Error struct {
	Doing string
	Code  int // CUresult
	Text  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (CUDA error %d)", e.Doing, e.Text, e.Code) }

// Is tells ErrMemory, ErrLost and ErrHang.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrMemory:
		return e.Code == outOfMemory
	case ErrLost:
		return lost(e.Code)
	case ErrHang:
		return e.Code == gaveUp
	}
	return false
}

// fault is nil for a call that succeeded.
func (d *Driver) fault(doing string, result C.int) error {
	switch result {
	case 0:
		return nil
	case gaveUp:
		return &Error{doing, gaveUp, ErrHang.Error()}
	}
	return &Error{doing, int(result), C.GoString(C.mr_cuda_error_text(d.c, result))}
}
