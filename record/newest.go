package record

import (
	"errors"
	"fmt"
	"slices"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

const (
	newestBlocks = 3       // that are tried: the newest may be damaged
	newestTail   = 8 << 20 // bytes of a block without an index that are read: many parts
)

// Newest is the newest segment that any rendition has a part of in a channel's
// folders: when it begins, and when the one after it does. It reads little, takes no
// lock and changes nothing. Ok is false where nothing is stored, or none of the
// folders can be read.
func Newest(dirs []string) (begin, next media.Time, ok bool, err error) {
	var disks []*disk
	for _, dir := range dirs {
		if found, err := openDisksReadOnly([]string{dir}); err == nil { // else it is away, or was not made yet
			disks = append(disks, found...)
		}
	}
	defer func() { err = errors.Join(err, closeDisks(disks)) }()
	blocks, err := listBlocks(disks)
	if err != nil {
		return 0, 0, false, err
	}
	for i, b := range slices.Backward(blocks) {
		if len(blocks)-i > newestBlocks {
			break
		}
		segment, grid, found := b.newest()
		if found {
			return grid.SegmentTime(segment), grid.SegmentTime(segment + 1), true, nil
		}
	}
	return 0, 0, false, nil
}

// newest is the highest segment of the block and the grid that counts it.
func (b *block) newest() (segment int64, grid cmaf.Grid, ok bool) {
	f, err := b.disk.volume.Open(b.name)
	if err != nil {
		return 0, grid, false
	}
	defer f.Close()
	l, err := loadTail(f)
	if err != nil || len(l.index.layouts) == 0 {
		return 0, grid, false
	}
	segment = -1
	for i := range l.index.entries {
		e := &l.index.entries[i]
		layout := l.index.layouts[e.layout].layout
		if e.count() > 0 && int(e.rendition) < len(layout.Renditions) && layout.covers(e.segment, layout.Renditions[e.rendition], e.start) && e.segment > segment {
			segment, grid = e.segment, layout.Grid
		}
	}
	return segment, grid, segment >= 0
}

// loadTail is loadBlock, but for a block without an index it reads only what it
// begins and ends with, where that tells enough.
func loadTail(f blockFile) (*loaded, error) {
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("measure block: %w", err)
	}
	l := &loaded{size: size}
	if err := l.readHeader(f); err != nil {
		return nil, err
	}
	if l.readIndex(f, nil) == nil {
		return l, nil
	}
	payload, h, err := readRecord(f, headerSize, size)
	if err == nil && h.Type == recordLayout && size > newestTail {
		s := scanner{window: window{file: f, size: size}, id: l.header.ID, index: &blockIndex{}}
		if s.layout, err = parseLayout(payload); err == nil {
			s.index.addLayout(headerSize, s.layout)
			if err = s.scan(size - newestTail); err == nil && s.index.chunks() {
				l.index = s.index
				return l, nil
			}
		}
	}
	return loadBlock(f, nil)
}
