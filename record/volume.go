package record

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// volume is the folder of one channel. Tests put one in its place that fails
// on demand and forgets what was not synced.
type volume interface {
	Create(name string) (blockFile, error) // exclusive
	Open(name string) (blockFile, error)   // read and write
	Remove(name string) error
	Names() ([]string, error)
	Sync() error          // makes creations durable
	Free() (int64, error) // bytes that may still be written
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
	root *os.Root
	lock *os.File
}

// ErrBusy says that another process has the store open.
var ErrBusy = errors.New("store is in use by another process")

func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make store folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open store folder: %w", err)
	}
	lock, err := root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store lock: %w", err), root.Close())
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, errors.Join(fmt.Errorf("lock store %q: %w", dir, err), lock.Close(), root.Close())
	}
	return &folder{root: root, lock: lock}, nil
}

func (v *folder) Create(name string) (blockFile, error) {
	f, err := v.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (v *folder) Open(name string) (blockFile, error) {
	f, err := v.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (v *folder) Remove(name string) error { return v.root.Remove(name) }

func (v *folder) Names() ([]string, error) { return namesIn(v.root) }

func namesIn(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	return names, errors.Join(err, dir.Close())
}

func (v *folder) Sync() error {
	dir, err := v.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (v *folder) Free() (int64, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(v.lock.Fd()), &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

func (v *folder) Close() error { return errors.Join(v.lock.Close(), v.root.Close()) }

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

func (f diskFile) Sync() error { return unix.Fdatasync(int(f.Fd())) }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
