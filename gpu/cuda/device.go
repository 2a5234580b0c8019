package cuda

/*
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"sync/atomic"
	"unsafe"
)

// Device is a card with the process's context on it. The context lives until
// Close and until everything made on it was freed.
type Device struct {
	Name       string
	Bus        string // PCI address in small letters, "0000:3b:00.0", as package monitor has it
	Capability int    // 10*major + minor: 90 is Hopper
	Processors int    // multiprocessors
	Memory     int    // bytes

	driver *Driver
	c      C.mr_cuda_device
	users  atomic.Int32
}

// Open makes the context of one card. An error says why the card cannot be used.
func (d *Driver) Open(ordinal int) (*Device, error) {
	if ordinal < 0 || ordinal >= d.devices {
		return nil, fmt.Errorf("there are %d CUDA devices, none with number %d", d.devices, ordinal)
	}
	var name, bus [128]C.char
	var major, minor, processors C.int
	var memory C.size_t
	result := C.mr_cuda_describe(d.c, C.int(ordinal), &name[0], &bus[0], C.int(len(name)), &major, &minor, &processors, &memory)
	if err := d.fault("describe the card", result); err != nil {
		return nil, err
	}
	device := &Device{
		Name: C.GoString(&name[0]), Bus: strings.ToLower(C.GoString(&bus[0])), Capability: int(10*major + minor), Processors: int(processors), Memory: int(memory),
		driver: d,
	}
	if device.Capability < minCapability {
		return nil, fmt.Errorf("%s has compute capability %d.%d, below %d.%d", device.Name, major, minor, minCapability/10, minCapability%10)
	}
	if err := d.fault("make a context on "+device.Name, C.mr_cuda_open(d.c, C.int(ordinal), &device.c)); err != nil {
		return nil, err
	}
	device.users.Store(1)
	return device, nil
}

// Context is the card's CUcontext, for other libraries of the driver.
func (d *Device) Context() unsafe.Pointer { return d.c.context }

// Driver is what the card is driven by.
func (d *Device) Driver() *Driver { return d.driver }

// Left is the free memory of the card in bytes, whoever uses the rest.
func (d *Device) Left() (int, error) {
	var bytes C.size_t
	err := d.fault("read the card's memory", C.mr_cuda_left(&d.c, &bytes))
	return int(bytes), err
}

// Close gives up the caller's hold on the context.
func (d *Device) Close() { d.drop() }

// use counts one more thing that needs the context when the call that made it
// succeeded.
func (d *Device) use(doing string, result C.int) error {
	err := d.driver.fault(doing, result)
	if err == nil {
		d.users.Add(1)
	}
	return err
}

// drop undoes use; the last one ends the context.
func (d *Device) drop() {
	if d.users.Add(-1) == 0 {
		C.mr_cuda_close(&d.c)
	}
}

func (d *Device) fault(doing string, result C.int) error { return d.driver.fault(doing, result) }

// Memory is a block on the card, or pinned in the host.
type Memory struct {
	Address unsafe.Pointer // of the host only where it is pinned memory
	Size    int            // bytes

	device *Device
	pinned bool
}

// Alloc gives a block on the card with undefined contents.
func (d *Device) Alloc(size int) (*Memory, error) {
	m := &Memory{Size: size, device: d}
	if err := d.use("allocate memory on the card", C.mr_cuda_alloc(&d.c, C.size_t(size), &m.Address)); err != nil {
		return nil, err
	}
	return m, nil
}

// AllocHost gives pinned memory of the host, which the card reads and writes
// without a copy.
func (d *Device) AllocHost(size int) (*Memory, error) {
	m := &Memory{Size: size, device: d, pinned: true}
	if err := d.use("pin host memory", C.mr_cuda_alloc_host(&d.c, C.size_t(size), &m.Address)); err != nil {
		return nil, err
	}
	return m, nil
}

// Bytes are the contents of pinned memory.
func (m *Memory) Bytes() []byte { return unsafe.Slice((*byte)(m.Address), m.Size) }

// Free gives the block back, which no stream may still use.
func (m *Memory) Free() {
	if m.pinned {
		C.mr_cuda_free_host(&m.device.c, m.Address)
	} else {
		C.mr_cuda_free(&m.device.c, m.Address)
	}
	m.device.drop()
}

// Module is code on the card.
type Module struct {
	device *Device
	handle unsafe.Pointer
}

// LoadModule compiles PTX for the card.
func (d *Device) LoadModule(ptx string) (*Module, error) {
	image := C.CString(ptx)
	defer C.free(unsafe.Pointer(image))
	log := make([]byte, 4096)
	m := &Module{device: d}
	result := C.mr_cuda_module(&d.c, image, (*C.char)(unsafe.Pointer(&log[0])), C.size_t(len(log)), &m.handle)
	if err := d.use("load kernels", result); err != nil {
		return nil, fmt.Errorf("%w %s", err, C.GoString((*C.char)(unsafe.Pointer(&log[0]))))
	}
	return m, nil
}

// Function is a kernel, valid as long as its module.
type Function struct{ handle unsafe.Pointer }

// Function finds a kernel by name.
func (m *Module) Function(name string) (f Function, err error) {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return f, m.device.fault("find kernel "+name, C.mr_cuda_function(&m.device.c, m.handle, cName, &f.handle))
}

// Close unloads the code.
func (m *Module) Close() {
	C.mr_cuda_unload_module(&m.device.c, m.handle)
	m.device.drop()
}
