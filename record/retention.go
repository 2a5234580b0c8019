package record

import (
	"slices"
	"time"
)

// expire removes the blocks that lie wholly before the window, and the oldest
// while there are more bytes than allowed, but never one that is pinned. One
// block beyond the window stays: what was listed can be fetched for a while (H35).
func (w *writer) expire() {
	if w.current != nil && w.current.layout != nil {
		w.expireBefore(w.newest, w.current.layout.Grid.SegmentDuration())
		return
	}
	w.expireBytes()
}

// expireBefore is expire for a window that ends with segment newest.
func (w *writer) expireBefore(newest int64, segment time.Duration) {
	if kept := w.retention.Load().Window; kept > 0 && newest >= 0 {
		floor := newest - int64(kept/segment) - 1 - blockSegments
		for n := 0; n+1 < len(w.blocks) && w.blocks[n+1].first <= floor; {
			if w.blocks[n].first == w.blocks[len(w.blocks)-1].first || w.pinned(n) || !w.remove(n) {
				n++
			}
		}
	}
	w.expireBytes()
}

func (w *writer) expireBytes() {
	for w.excess() && w.removeOldest() {
	}
}

// excess says that the store holds more than it may.
func (w *writer) excess() bool {
	r := w.retention.Load()
	if r.MaxBytes > 0 && w.total > r.MaxBytes && w.unpinnedBytes() > r.MaxBytes {
		return true
	}
	if r.ReserveBytes <= 0 {
		return false
	}
	for _, d := range w.disks {
		if free, err := d.volume.Free(); err == nil && free < r.ReserveBytes && w.canGive(d) {
			return true
		}
	}
	return false
}

// canGive says that a disk has a block that may be removed.
func (w *writer) canGive(d *disk) bool {
	for n, b := range w.blocks {
		if b.disk == d && b.first != w.blocks[len(w.blocks)-1].first && !w.pinned(n) {
			return true
		}
	}
	return false
}

func (w *writer) unpinnedBytes() (sum int64) {
	for n, b := range w.blocks {
		if !w.pinned(n) && !b.disk.away.Load() {
			sum += b.size
		}
	}
	return sum
}

// pinned says that a block may hold something of a pinned segment. The last
// parts of the segment before its first may stand in it, and the first parts of
// the segment that the next block begins with.
func (w *writer) pinned(n int) bool {
	return w.retention.Load().pins.touch(w.blocks[n].first-1, w.after(n)+1)
}

// after is the first segment of the next block that begins with another one.
func (w *writer) after(n int) int64 {
	first := w.blocks[n].first
	for _, b := range w.blocks[n:] {
		if b.first > first {
			return b.first
		}
	}
	return max(first, w.newest) + 1
}

// removeOldest removes the oldest block that is not pinned and those that begin
// with the same segment, but never the newest block.
func (w *writer) removeOldest() bool {
	last := len(w.blocks) - 1
	for n := 0; n <= last && w.blocks[n].first != w.blocks[last].first; n++ {
		if w.pinned(n) || w.blocks[n].disk.away.Load() {
			continue
		}
		first, removed := w.blocks[n].first, false
		for w.blocks[n].first == first && w.remove(n) {
			removed = true
		}
		return removed
	}
	return false
}

// reset removes every block.
func (w *writer) reset() {
	if w.current != nil {
		w.abandon()
	}
	for n := len(w.blocks) - 1; n >= 0; n-- {
		w.remove(n)
	}
	w.born, w.newest, w.floor = -1, -1, 0
}

// remove unlinks a block; readers that are in it finish.
func (w *writer) remove(n int) bool {
	b, floor := w.blocks[n], w.after(n)
	if b.disk.lost() {
		return false
	}
	if err := b.disk.volume.Remove(b.name); err != nil {
		w.log.Warn("remove block", "block", b.name, "err", err)
		return false
	}
	b.disk.handles.forget(b.name)
	w.blocks = slices.Delete(w.blocks, n, n+1)
	w.total -= b.size
	w.floor = max(w.floor, floor)
	return true
}
