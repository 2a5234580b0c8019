package record

import (
	"cmp"
	"slices"
	"time"
)

// target is the disk that the next write goes to: that of the current block, or
// for a new one the disk with the most room among those that work. It is nil
// while every disk is left alone.
func (w *writer) target() *disk {
	if w.current != nil {
		return w.current.disk
	}
	usable := slices.DeleteFunc(slices.Clone(w.disks), func(d *disk) bool { return d.lost() || time.Now().Before(d.rest) })
	if len(usable) == 0 {
		return nil
	}
	reserve := w.retention.Load().ReserveBytes
	return slices.MaxFunc(usable, func(a, b *disk) int {
		if a.faults != b.faults {
			return cmp.Compare(b.faults, a.faults)
		}
		return cmp.Compare(a.room(reserve), b.room(reserve))
	})
}

// fail notes that a disk has failed. At first the write is tried once more, on
// another disk where there is one.
func (w *writer) fail(d *disk) {
	if w.current != nil {
		w.abandon()
	}
	if d.faults++; d.suspect() || d.faults > 1 {
		d.rest = time.Now().Add(retryAfter)
	}
}

// leastRoom is what a disk must have to be turned to when another one is full.
const leastRoom = 4 << 20

// makeRoom is called when disk d has none: the next write goes to another disk,
// or over what the oldest block has left.
func (w *writer) makeRoom(d *disk) bool {
	if other := w.roomiest(d); other != nil && other.room(w.retention.Load().ReserveBytes) >= leastRoom {
		if w.current != nil {
			w.abandon()
		}
		return true
	}
	if !w.removeOldest() {
		return false
	}
	if w.current != nil && len(w.disks) > 1 && w.current.end > headerSize {
		w.abandon() // what was removed may have been on another disk
	}
	return true
}

// roomiest is the disk beside d with the most room, among those that have not
// failed.
func (w *writer) roomiest(d *disk) *disk {
	var best *disk
	reserve := w.retention.Load().ReserveBytes
	for _, other := range w.disks {
		if other == d || other.faults > 0 || other.lost() {
			continue
		}
		if best == nil || other.room(reserve) > best.room(reserve) {
			best = other
		}
	}
	return best
}

// spill ends the current block with its segment when its disk has come close to
// the reserve and another one has not.
func (w *writer) spill() {
	reserve := w.retention.Load().ReserveBytes
	if w.current == nil || len(w.disks) < 2 || reserve <= 0 || w.current.limit <= w.current.end {
		return
	}
	margin := reserve / 16
	if w.current.disk.room(reserve) > margin {
		return
	}
	if other := w.roomiest(w.current.disk); other != nil && other.room(reserve) > 2*margin {
		w.current.limit = w.current.end
	}
}

// blockLimit keeps blocks small beside what the disk can hold, so that removing
// the oldest costs little.
func (w *writer) blockLimit(d *disk) int64 {
	limit := int64(1) << 30
	if most := w.retention.Load().MaxBytes; most > 0 {
		limit = min(limit, most/8)
	}
	if free, err := d.volume.Free(); err == nil {
		for _, b := range w.blocks {
			if b.disk == d {
				free += b.size
			}
		}
		limit = min(limit, free/8)
	}
	return max(limit, 1<<20)
}
