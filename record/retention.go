package record

import "slices"

// expire removes the blocks that lie wholly before the window, and the oldest
// while there are more bytes than allowed. One block beyond the window stays:
// what was listed can be fetched for a while (H35).
func (w *writer) expire() {
	if w.config.Window > 0 && w.current != nil && w.current.layout != nil {
		window := int64(w.config.Window/w.current.layout.Grid.SegmentDuration()) + 1
		floor := w.newest - window - blockSegments
		for len(w.blocks) > 1 && w.blocks[1].first <= floor && w.removeOldest() {
		}
	}
	for w.excess() && w.removeOldest() {
	}
}

// excess says that the store holds more than it may.
func (w *writer) excess() bool {
	if w.config.MaxBytes > 0 && w.total > w.config.MaxBytes {
		return true
	}
	if w.config.ReserveBytes <= 0 {
		return false
	}
	free, err := w.volume.Free()
	return err == nil && free < w.config.ReserveBytes
}

// removeOldest removes the oldest block and those that begin with the same
// segment, but never the newest block.
func (w *writer) removeOldest() bool {
	n := len(w.blocks)
	if n == 0 || w.blocks[0].first == w.blocks[n-1].first {
		return false
	}
	first, removed := w.blocks[0].first, false
	for w.blocks[0].first == first && w.remove(0) {
		removed = true
	}
	return removed
}

// reset removes every block.
func (w *writer) reset() {
	if w.current != nil {
		w.abandon()
	}
	for n := len(w.blocks) - 1; n >= 0; n-- {
		w.remove(n)
	}
	w.born, w.newest = -1, -1
}

// remove unlinks a block; readers that are in it finish.
func (w *writer) remove(n int) bool {
	b := w.blocks[n]
	if err := w.volume.Remove(b.name); err != nil {
		w.log.Warn("remove block", "block", b.name, "err", err)
		return false
	}
	w.handles.forget(b.name)
	w.blocks = slices.Delete(w.blocks, n, n+1)
	w.total -= b.size
	return true
}
