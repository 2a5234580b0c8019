package record

import (
	"encoding/binary"
)

// blockIndex is what one block holds, in the order in which it was written. It
// is built while a block is written or scanned, and stored at its end.
type blockIndex struct {
	layouts []indexLayout
	entries []indexEntry

	current map[uint32]int // layout and rendition -> newest entry; nil after parsing
}

type indexLayout struct {
	offset int64 // of its record
	layout *Layout
}

// indexEntry is a run of parts of one segment of one rendition.
type indexEntry struct {
	layout, rendition uint16
	gap               bool // the segment is not held, whatever parts stand here
	from              uint16
	segment           int64
	start             int64       // decode time of the first of the parts
	parts             []indexPart // while it is built
	packed            []byte      // its parts as they are stored; nil while it is built
}

type indexPart struct {
	offset   int64 // of the payload
	length   uint32
	crc      uint32
	duration uint32
	keyBytes uint32
	flags    uint8
}

const (
	entrySize     = 32
	entryPartSize = 28
)

// addLayout makes a layout the one that following records refer to.
func (x *blockIndex) addLayout(offset int64, l *Layout) {
	x.layouts = append(x.layouts, indexLayout{offset, l})
}

// addRecord notes a chunk or a gap that was written at offset under the newest
// layout. Parts that came before are not noted again.
func (x *blockIndex) addRecord(offset int64, h *recordHeader) {
	if x.current == nil {
		x.current = map[uint32]int{}
	}
	layout := uint16(len(x.layouts) - 1)
	key := uint32(layout)<<16 | uint32(h.Rendition)
	at, known := x.current[key]
	if !known || x.entries[at].segment != h.Segment ||
		h.Type == recordChunk && int(h.Part) > int(x.entries[at].from)+len(x.entries[at].parts) {
		at = len(x.entries)
		x.entries = append(x.entries, indexEntry{
			layout: layout, rendition: h.Rendition, segment: h.Segment, from: h.Part, start: h.Start,
		})
		x.current[key] = at
	}
	e := &x.entries[at]
	if h.Type == recordGap {
		e.gap = true
		return
	}
	if int(h.Part) != int(e.from)+len(e.parts) {
		return
	}
	e.parts = append(e.parts, indexPart{
		offset: offset + recordSize, length: h.Length, crc: h.CRC, duration: h.Duration, keyBytes: h.KeyBytes, flags: h.Flags,
	})
}

// chunks says whether the block holds any part.
func (x *blockIndex) chunks() bool {
	for i := range x.entries {
		if x.entries[i].count() > 0 {
			return true
		}
	}
	return false
}

// count is how many parts the entry has.
func (e *indexEntry) count() int { return len(e.parts) + len(e.packed)/entryPartSize }

// pack turns a block that was scanned into what parseIndex would have given.
func (x *blockIndex) pack() {
	for i := range x.entries {
		e := &x.entries[i]
		e.packed = e.append(nil)[entrySize:]
		e.parts = nil
	}
}

// marshal is the payload of an index record.
func (x *blockIndex) marshal() []byte {
	size := 8 + 8*len(x.layouts)
	for i := range x.entries {
		size += entrySize + entryPartSize*len(x.entries[i].parts)
	}
	le := binary.LittleEndian
	b := make([]byte, 0, size)
	b = le.AppendUint32(b, uint32(len(x.layouts)))
	for _, l := range x.layouts {
		b = le.AppendUint64(b, uint64(l.offset))
	}
	b = le.AppendUint32(b, uint32(len(x.entries)))
	for i := range x.entries {
		b = x.entries[i].append(b)
	}
	return b
}

func (e *indexEntry) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, e.layout)
	b = le.AppendUint16(b, e.rendition)
	b = le.AppendUint16(b, e.from)
	b = le.AppendUint16(b, uint16(len(e.parts)))
	var gap uint64
	if e.gap {
		gap = 1
	}
	b = le.AppendUint64(b, gap)
	b = le.AppendUint64(b, uint64(e.segment))
	b = le.AppendUint64(b, uint64(e.start))
	for i := range e.parts {
		p := &e.parts[i]
		b = le.AppendUint64(b, uint64(p.offset))
		b = le.AppendUint32(b, p.length)
		b = le.AppendUint32(b, p.crc)
		b = le.AppendUint32(b, p.duration)
		b = le.AppendUint32(b, p.keyBytes)
		b = le.AppendUint32(b, uint32(p.flags))
	}
	return b
}

// parseIndex reads what marshal wrote, for a block whose records end at limit.
// Layouts come with their offsets only.
func parseIndex(b []byte, limit int64) (*blockIndex, error) {
	le := binary.LittleEndian
	if len(b) < 4 {
		return nil, errIndex
	}
	layouts := int(le.Uint32(b))
	b = b[4:]
	if layouts > len(b)/8 || layouts > 1<<16 {
		return nil, errIndex
	}
	x := &blockIndex{}
	for range layouts {
		offset := int64(le.Uint64(b))
		if offset < headerSize || offset > limit {
			return nil, errIndex
		}
		x.layouts = append(x.layouts, indexLayout{offset: offset})
		b = b[8:]
	}
	if len(b) < 4 || int(le.Uint32(b)) > (len(b)-4)/entrySize {
		return nil, errIndex
	}
	x.entries = make([]indexEntry, le.Uint32(b))
	b = b[4:]
	for i := range x.entries {
		var err error
		if b, err = x.entries[i].parse(b, layouts, limit); err != nil {
			return nil, err
		}
	}
	if len(b) != 0 {
		return nil, errIndex
	}
	return x, nil
}

// parse reads an entry from the head of b, whose parts stay packed there, and
// gives what follows it.
func (e *indexEntry) parse(b []byte, layouts int, limit int64) ([]byte, error) {
	le := binary.LittleEndian
	if len(b) < entrySize {
		return nil, errIndex
	}
	*e = indexEntry{
		layout: le.Uint16(b), rendition: le.Uint16(b[2:]), from: le.Uint16(b[4:]), gap: le.Uint64(b[8:])&1 != 0,
		segment: int64(le.Uint64(b[16:])), start: int64(le.Uint64(b[24:])),
	}
	parts := int(le.Uint16(b[6:]))
	b = b[entrySize:]
	if int(e.layout) >= layouts || parts > len(b)/entryPartSize {
		return nil, errIndex
	}
	e.packed, b = b[:parts*entryPartSize:parts*entryPartSize], b[parts*entryPartSize:]
	for p := e.packed; len(p) > 0; p = p[entryPartSize:] {
		offset, length := int64(le.Uint64(p)), le.Uint32(p[8:])
		if offset < headerSize+recordSize || offset > limit || int64(length) > limit-offset || length > maxPayload {
			return nil, errIndex
		}
	}
	return b, nil
}

// parsePart reads a part that parse has seen.
func parsePart(b []byte) indexPart {
	le := binary.LittleEndian
	return indexPart{
		offset: int64(le.Uint64(b)), length: le.Uint32(b[8:]), crc: le.Uint32(b[12:]),
		duration: le.Uint32(b[16:]), keyBytes: le.Uint32(b[20:]), flags: uint8(le.Uint32(b[24:])),
	}
}
