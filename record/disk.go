package record

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// disk is one of the volumes over which a store spreads its blocks. A disk that
// is away costs what it holds, for as long as it is away.
type disk struct {
	name    string // for logs and State
	volume  volume
	handles *handles
	log     *slog.Logger
	away    atomic.Bool
	absent  atomic.Bool // it was away when the store was opened, and what it holds is not listed yet

	probing sync.Mutex
	probed  time.Time // under probing

	// The writer's: how often in a row the disk has failed, and until when it is
	// left alone for it.
	faults int
	rest   time.Time
}

func newDisk(name string, v volume, log *slog.Logger) *disk {
	return &disk{name: name, volume: v, handles: newHandles(v), log: log.With("volume", name)}
}

const (
	// probeInterval is how often a disk that is away is looked for, at most.
	probeInterval = time.Second
	// retryAfter is how long a disk that has failed twice is left alone.
	retryAfter = time.Second
)

// lost says that the disk is away. It looks for it now and then.
func (d *disk) lost() bool {
	if d.absent.Load() {
		return true // awaitMissing looks for it
	}
	if !d.away.Load() {
		return false
	}
	if d.probing.TryLock() {
		if time.Since(d.probed) >= probeInterval {
			d.probe()
		}
		d.probing.Unlock()
	}
	return d.away.Load()
}

// suspect is called when an operation has failed. It says whether the disk is
// away: else it is the operation that failed.
func (d *disk) suspect() bool {
	d.probing.Lock()
	defer d.probing.Unlock()
	d.probe()
	return d.away.Load()
}

// probe finds out whether the disk can be used. The caller holds probing.
func (d *disk) probe() {
	d.probed = time.Now()
	err := d.volume.Probe()
	was := d.away.Swap(err != nil)
	switch {
	case err != nil && !was:
		d.log.Error("volume is away; what it holds is missing until it is back", "err", err)
	case err == nil && was:
		d.handles.close() // of what it was before
		d.log.Info("volume is back")
	}
}

// room is how much may be written beyond a reserve; less than 0 where it
// cannot be said.
func (d *disk) room(reserve int64) int64 {
	free, err := d.volume.Free()
	if err != nil {
		return -1
	}
	return free - reserve
}

func (d *disk) close() error {
	d.handles.close()
	return d.volume.Close()
}

// openDisks opens the folders of a store. It does with those that it can open,
// and says so; one that another process uses is a fault in any case.
func openDisks(dirs []string, log *slog.Logger) ([]*disk, error) {
	var disks []*disk
	var faults []error
	for _, dir := range dirs {
		v, err := openFolder(dir)
		d := newDisk(dir, v, log)
		disks = append(disks, d)
		if err != nil {
			d.away.Store(true)
			d.absent.Store(true)
			faults = append(faults, err)
		}
		if errors.Is(err, ErrBusy) {
			return nil, errors.Join(err, closeDisks(disks))
		}
	}
	if len(faults) == len(dirs) {
		return nil, errors.Join(append(faults, closeDisks(disks))...)
	}
	for _, err := range faults {
		log.Error("volume is away; what it holds is missing", "err", err)
	}
	return disks, nil
}

func closeDisks(disks []*disk) error {
	var errs []error
	for _, d := range disks {
		if err := d.close(); err != nil {
			errs = append(errs, fmt.Errorf("close volume %q: %w", d.name, err))
		}
	}
	return errors.Join(errs...)
}
