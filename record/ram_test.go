package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// ram is a volume in memory that fails on demand and knows what was synced.
type ram struct {
	mu       sync.Mutex
	files    map[string]*ramFile
	named    map[string]bool        // names that outlive a power cut
	removed  map[string]*ramFile    // those that may come back with one
	step     func(operation string) // called before and after each change; nil for none
	capacity int64                  // bytes; 0 for no bound
	faults   map[string]error
	once     map[string]error
	away     error         // what everything meets
	stall    chan struct{} // Sync waits until it is closed; nil for no wait
	syncs    int
	written  int64
}

type ramFile struct {
	volume   *ram
	data     []byte
	synced   []byte
	unsynced []ramWrite
}

type ramWrite struct {
	offset int64
	data   []byte
}

func newRAM() *ram {
	return &ram{
		files: map[string]*ramFile{}, named: map[string]bool{}, removed: map[string]*ramFile{},
		faults: map[string]error{}, once: map[string]error{},
	}
}

// disksOf are volumes as a store takes them.
func disksOf(volumes ...*ram) (disks []*disk) {
	for i, v := range volumes {
		disks = append(disks, newDisk(fmt.Sprint("ram", i), v, slog.New(slog.DiscardHandler)))
	}
	return disks
}

// fail makes an operation ("write", "sync", "create", "read", "probe") fail until err is nil.
func (v *ram) fail(operation string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults[operation] = err
}

// failOnce makes the next such operation fail.
func (v *ram) failOnce(operation string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.once[operation] = err
}

// setAway makes everything fail until err is nil, as on a disk that is gone.
func (v *ram) setAway(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.away = err
}

// fault is what an operation meets; the lock is held.
func (v *ram) fault(operation string) error {
	if v.away != nil {
		return v.away
	}
	if err := v.once[operation]; err != nil {
		delete(v.once, operation)
		return err
	}
	return v.faults[operation]
}

func (v *ram) setStall(stall chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stall = stall
}

func (v *ram) used() (sum int64) {
	for _, f := range v.files {
		sum += int64(len(f.data))
	}
	return sum
}

// crash is the volume after a power cut: what was not synced is gone but for
// the first keep bytes of it. With keep < 0 everything written is there (SIGKILL).
func (v *ram) crash(keep int) *ram {
	v.mu.Lock()
	defer v.mu.Unlock()
	after := newRAM()
	for name, f := range v.files {
		data := bytes.Clone(f.data)
		if keep >= 0 {
			data = data[:min(len(data), len(f.synced)+keep)]
			copy(data, f.synced)
		}
		after.files[name] = &ramFile{volume: after, data: data, synced: bytes.Clone(data)}
		after.named[name] = true
	}
	return after
}

// powerCut is the volume after one: of every file what was synced, and of each
// write after that all, a part or nothing; a name that was not synced is there
// or not, and so is one that was removed.
func (v *ram) powerCut(rnd *rand.Rand) *ram {
	v.mu.Lock()
	defer v.mu.Unlock()
	after := newRAM()
	keep := func(name string, f *ramFile) {
		data := bytes.Clone(f.synced)
		for _, w := range f.unsynced {
			n := rnd.IntN(3) * len(w.data) / 2
			if grow := w.offset + int64(n) - int64(len(data)); n > 0 && grow > 0 {
				data = append(data, make([]byte, grow)...)
			}
			copy(data[min(w.offset, int64(len(data))):], w.data[:n])
		}
		after.files[name] = &ramFile{volume: after, data: data, synced: bytes.Clone(data)}
		after.named[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(v.files)) {
		if v.named[name] || rnd.IntN(2) == 0 {
			keep(name, v.files[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.removed)) {
		if after.files[name] == nil && rnd.IntN(2) == 0 {
			keep(name, v.removed[name])
		}
	}
	return after
}

// around runs a change and tells before and after it.
func (v *ram) around(operation string, change func() error) error {
	v.mu.Lock()
	step := v.step
	v.mu.Unlock()
	if step != nil {
		step(operation)
	}
	err := func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		return change()
	}()
	if step != nil {
		step(operation)
	}
	return err
}

func (v *ram) Create(name string) (blockFile, error) {
	f := &ramFile{volume: v}
	err := v.around("create", func() error {
		if err := v.fault("create"); err != nil {
			return err
		}
		if v.files[name] != nil {
			return fs.ErrExist
		}
		v.files[name] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (v *ram) Open(name string) (blockFile, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.fault("open"); err != nil {
		return nil, err
	}
	if f := v.files[name]; f != nil {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (v *ram) Remove(name string) error {
	return v.around("remove", func() error {
		if err := v.fault("remove"); err != nil {
			return err
		}
		if f := v.files[name]; f != nil && v.named[name] {
			v.removed[name] = f
		}
		delete(v.files, name)
		delete(v.named, name)
		return nil
	})
}

func (v *ram) Names() ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.files)), v.fault("names")
}

func (v *ram) Sync() error {
	return v.around("sync folder", func() error {
		if err := v.fault("sync folder"); err != nil {
			return err
		}
		for name := range v.files {
			v.named[name] = true
		}
		clear(v.removed)
		return nil
	})
}

func (v *ram) Close() error { return nil }

func (v *ram) Probe() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fault("probe")
}

func (v *ram) Free() (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.fault("free"); err != nil {
		return 0, err
	}
	if v.capacity == 0 {
		return 1 << 50, nil
	}
	return v.capacity - v.used(), nil
}

func (f *ramFile) ReadAt(p []byte, offset int64) (int, error) {
	f.volume.mu.Lock()
	defer f.volume.mu.Unlock()
	if err := f.volume.fault("read"); err != nil {
		return 0, err
	}
	if offset >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *ramFile) WriteVector(buffers [][]byte, offset int64) error {
	return f.volume.around("write", func() error { return f.write(buffers, offset) })
}

func (f *ramFile) write(buffers [][]byte, offset int64) error {
	if err := f.volume.fault("write"); err != nil {
		return err
	}
	for _, b := range buffers {
		grow := offset + int64(len(b)) - int64(len(f.data))
		if c := f.volume.capacity; c > 0 && grow > 0 && f.volume.used()+grow > c {
			fits := max(c-f.volume.used(), 0)
			f.data = append(f.data, b[:min(fits, int64(len(b)))]...)
			return unix.ENOSPC
		}
		if grow > 0 {
			f.data = append(f.data, make([]byte, grow)...)
		}
		f.volume.written += int64(copy(f.data[offset:], b))
		f.unsynced = append(f.unsynced, ramWrite{offset, bytes.Clone(b)})
		offset += int64(len(b))
	}
	return nil
}

func (f *ramFile) Sync() error {
	f.volume.mu.Lock()
	stall := f.volume.stall
	f.volume.mu.Unlock()
	if stall != nil {
		<-stall
	}
	return f.volume.around("sync", func() error {
		if err := f.volume.fault("sync"); err != nil {
			return err
		}
		f.volume.syncs++
		f.synced, f.unsynced = bytes.Clone(f.data), nil
		return nil
	})
}

func (f *ramFile) Truncate(size int64) error {
	return f.volume.around("truncate", func() error {
		if size > int64(len(f.data)) {
			return errors.New("truncate beyond the end")
		}
		f.data = f.data[:size:size]
		return nil
	})
}

func (f *ramFile) Size() (int64, error) {
	f.volume.mu.Lock()
	defer f.volume.mu.Unlock()
	return int64(len(f.data)), nil
}

func (f *ramFile) Close() error { return nil }
