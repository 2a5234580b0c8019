package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// volume is the folder of one channel on one file system. Tests put one in its
// place that fails on demand and forgets what was not synced.
type volume interface {
	Create(name string) (blockFile, error) // exclusive
	Open(name string) (blockFile, error)   // read and write
	Remove(name string) error
	Names() ([]string, error)
	Sync() error          // makes creations durable
	Free() (int64, error) // bytes that may still be written
	// Probe says why the folder cannot be used, and finds it again when its file
	// system is back.
	Probe() error
	Close() error
}

// blockFile is one file of a volume. ReadAt may be called from any goroutine.
type blockFile interface {
	io.ReaderAt
	// WriteVector writes the buffers one after another from offset on.
	WriteVector(buffers [][]byte, offset int64) error
	Sync() error // data and length
	Truncate(size int64) error
	Size() (int64, error)
	Close() error
}

const lockName = "lock"

// folder is a volume in a directory that belongs to one process at a time.
type folder struct {
	dir string

	mu   sync.RWMutex // held by operations, and by Probe while it changes root
	root *os.Root     // nil while the folder could not be opened
	lock *os.File
}

// ErrBusy says that another process has the store open.
var ErrBusy = errors.New("store is in use by another process")

// errAway says that a folder was not there when the store was opened, and is not yet.
var errAway = errors.New("volume is away")

// openFolder gives the folder of a volume also where it cannot be opened now:
// then with an error, and Probe tries again.
func openFolder(dir string) (*folder, error) {
	v := &folder{dir: dir}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return v, fmt.Errorf("make store folder: %w", err)
	}
	return v, v.open()
}

// open takes hold of what the path leads to.
func (v *folder) open() error {
	root, err := os.OpenRoot(v.dir)
	if err != nil {
		return fmt.Errorf("open store folder: %w", err)
	}
	lock, err := root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return errors.Join(fmt.Errorf("open store lock: %w", err), root.Close())
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrBusy
		}
		return errors.Join(fmt.Errorf("lock store %q: %w", v.dir, err), lock.Close(), root.Close())
	}
	v.root, v.lock = root, lock
	return nil
}

// in calls a function with the folder's root.
func (v *folder) in(do func(*os.Root) error) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.root == nil {
		return errAway
	}
	return do(v.root)
}

func (v *folder) openFile(name string, flags int) (file blockFile, err error) {
	err = v.in(func(root *os.Root) error {
		f, err := root.OpenFile(name, flags, 0o640)
		file = diskFile{f}
		return err
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (v *folder) Create(name string) (blockFile, error) {
	return v.openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (v *folder) Open(name string) (blockFile, error) { return v.openFile(name, os.O_RDWR) }

func (v *folder) Remove(name string) error {
	return v.in(func(root *os.Root) error { return root.Remove(name) })
}

func (v *folder) Names() (names []string, err error) {
	err = v.in(func(root *os.Root) (err error) {
		names, err = namesIn(root)
		return err
	})
	return names, err
}

func namesIn(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	return names, errors.Join(err, dir.Close())
}

func (v *folder) Sync() error {
	return v.in(func(root *os.Root) error {
		dir, err := root.Open(".")
		if err != nil {
			return err
		}
		return errors.Join(dir.Sync(), dir.Close())
	})
}

func (v *folder) Free() (free int64, err error) {
	err = v.in(func(*os.Root) error {
		var s unix.Statfs_t
		if err := unix.Fstatfs(int(v.lock.Fd()), &s); err != nil {
			return err
		}
		free = int64(s.Bavail) * s.Bsize
		return nil
	})
	return free, err
}

// Probe compares what the path leads to with what is open: a file system that
// was taken away and mounted again is another one to those who hold the old.
func (v *folder) Probe() error {
	there, err := os.Stat(v.dir)
	if err != nil {
		return fmt.Errorf("find store folder: %w", err)
	}
	err = v.in(func(root *os.Root) error {
		here, err := root.Stat(".")
		if err == nil && !os.SameFile(there, here) {
			err = errAway
		}
		return err
	})
	if err != nil {
		err = v.reopen()
	}
	if err != nil {
		return err
	}
	names, err := v.Names()
	if err != nil {
		return fmt.Errorf("list blocks: %w", err)
	}
	return v.readAny(names)
}

func (v *folder) reopen() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := folder{root: v.root, lock: v.lock}
	if err := v.open(); err != nil {
		return err
	}
	_ = old.Close() // of a file system that is gone
	return nil
}

// probedBlocks is how many blocks are tried before a folder is given up: one
// bad block is not a bad disk.
const probedBlocks = 3

// readAny fails when there are blocks and none can be read.
func (v *folder) readAny(names []string) (err error) {
	tried := 0
	for _, name := range names {
		if _, _, ok := parseBlockName(name); !ok {
			continue
		}
		if err = v.readHead(name); err == nil || tried == probedBlocks {
			return err
		}
		tried++
	}
	return err
}

// readHead reads the beginning of a block, from the disk and not from memory
// where the kernel can tell them apart.
func (v *folder) readHead(name string) error {
	f, err := v.openFile(name, os.O_RDONLY)
	if err != nil {
		return err
	}
	_ = unix.Fadvise(int(f.(diskFile).Fd()), 0, 4096, unix.FADV_DONTNEED) // a wish
	_, err = f.ReadAt(make([]byte, headerSize), 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

func (v *folder) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.root == nil {
		return nil
	}
	err := errors.Join(v.lock.Close(), v.root.Close())
	v.root, v.lock = nil, nil
	return err
}

type diskFile struct{ *os.File }

// maxVectors is the kernel's limit for one call (IOV_MAX).
const maxVectors = 1024

func (f diskFile) WriteVector(buffers [][]byte, offset int64) error {
	rest := make([][]byte, len(buffers))
	copy(rest, buffers)
	for len(rest) > 0 {
		n, err := unix.Pwritev(int(f.Fd()), rest[:min(len(rest), maxVectors)], offset)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		offset += int64(n)
		rest = consume(rest, n)
	}
	return nil
}

// consume takes the first n bytes off a row of buffers, and empty ones with them.
func consume(buffers [][]byte, n int) [][]byte {
	for len(buffers) > 0 && n >= len(buffers[0]) {
		n -= len(buffers[0])
		buffers = buffers[1:]
	}
	if n > 0 {
		buffers[0] = buffers[0][n:]
	}
	return buffers
}

// errDeleted says that somebody has deleted a file that is being written: what
// goes into it is lost, though every write succeeds.
var errDeleted = errors.New("the file was deleted")

func (f diskFile) Sync() error {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return err
	}
	if s.Nlink == 0 {
		return errDeleted
	}
	return unix.Fdatasync(int(f.Fd()))
}

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
