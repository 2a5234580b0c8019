package record

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// writer puts groups on disk and removes old blocks. One goroutine owns it.
type writer struct {
	disks []*disk
	log   *slog.Logger

	retention *atomic.Pointer[retention] // the store's

	blocks   []*block // oldest first; the last may be current
	current  *openBlock
	finished []*openBlock // to be sealed once the group that came after is durable
	total    int64        // bytes of blocks
	born     int64
	newest   int64 // highest segment written
	floor    int64 // below it nothing is held but what is pinned; 0 when nothing was removed
}

// openBlock is a block that is being written.
type openBlock struct {
	*block
	file   blockFile
	id     uint32
	index  blockIndex
	layout *Layout // of the newest layout record
	end    int64   // everything before it is durable, and nothing after it counts
	newest int64   // highest segment in it
	limit  int64   // bytes beyond which another block is begun
}

// outcome is what became of a row of groups.
type outcome struct {
	batches []*batch
	tried   bool          // there was something to write
	err     error         // of the last item that was not written
	floor   int64         // segments below it are no longer held, but for pinned ones; 0 when nothing was removed
	bytes   int64         // on disk
	took    time.Duration // all of it
}

func newWriter(s *Store, r *recovered) *writer {
	return &writer{
		disks: s.disks, retention: &s.retention, log: s.log,
		blocks: r.blocks, total: r.bytes(), born: r.born, newest: -1,
	}
}

// run writes what it is given until the queue is closed and empty.
func (w *writer) run(q *queue, outcomes chan<- *outcome) {
	defer close(outcomes)
	for batches := q.pop(); len(batches) > 0; batches = q.pop() {
		outcomes <- w.commit(batches)
	}
	if w.current != nil {
		w.finished = append(w.finished, w.current)
		w.current = nil
	}
	w.sealFinished()
}

// leave is what another run of the store begins with.
func (w *writer) leave(c *committer) *recovered {
	return &recovered{blocks: w.blocks, layout: c.layout, born: c.born}
}

// commit makes a row of groups durable in one write and one sync, or two where
// a block ends among them.
func (w *writer) commit(batches []*batch) *outcome {
	begun := time.Now()
	o := &outcome{batches: batches}
	var items []*item
	for _, b := range batches {
		if b.reset {
			w.reset()
			items = nil
		}
		if b.returned != nil {
			w.readmit(b.returned)
		}
		items = append(items, b.items...)
	}
	o.tried = len(items) > 0
	for len(items) > 0 {
		n := w.span(items)
		if err := w.store(items[:n]); err != nil {
			o.err = err
		}
		items = items[n:]
	}
	w.sealFinished()
	w.expire()
	w.spill()
	o.floor, o.bytes, o.took = w.floor, w.total, time.Since(begun)
	return o
}

// span is how many of the items go into one block: those up to the next that
// begins another.
func (w *writer) span(items []*item) int {
	first, newest, size := items[0].segment(), w.newest, int64(0)
	limit := int64(1) << 62
	if w.current != nil && !w.current.over(items[0], 0) {
		first, newest, limit = w.current.first, w.current.newest, w.current.limit-w.current.end
	}
	for n, i := range items {
		if n > 0 && over(first, newest, i.segment(), size > limit) {
			return n
		}
		newest = max(newest, i.segment())
		if i.chunk != nil {
			size += recordSize + int64(len(i.chunk.Data))
		}
	}
	return len(items)
}

// over says that a segment does not go into the block: it belongs to a later
// span of segments, or it begins and the block is full.
func over(first, newest, segment int64, full bool) bool {
	return segment/blockSegments > first/blockSegments || full && segment > newest
}

func (b *openBlock) over(i *item, more int64) bool {
	return over(b.first, b.newest, i.segment(), b.end+more > b.limit)
}

// store writes items into one block. On a full disk another disk or the oldest
// block makes room. A block that fails in any other way, a sync above all, is
// never written again: what was not durable goes into a new one, on another disk
// where there is one.
func (w *writer) store(items []*item) error {
	if w.current != nil && w.current.over(items[0], 0) {
		w.finished = append(w.finished, w.current)
		w.current = nil
	}
	var fault error // of the last disk that was tried
	for {
		d := w.target()
		if d == nil && fault == nil {
			return errWaiting
		}
		if d == nil {
			return fault
		}
		err := w.attempt(d, items)
		switch {
		case err == nil:
			d.faults = 0
			return nil
		case full(err) && !errors.Is(err, errSync) && w.makeRoom(d):
			// A write that found no room is written again over what it left.
		default:
			fault = err
			w.fail(d)
		}
	}
}

// errSync says that what a block holds beyond its durable end is unknown.
var errSync = errors.New("sync block")

// errWaiting says that nothing was tried: every disk has failed a moment ago.
var errWaiting = errors.New("disk has failed less than a second ago")

func full(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func (w *writer) attempt(d *disk, items []*item) error {
	if w.current == nil {
		if err := w.create(d, items[0].segment()); err != nil {
			return err
		}
	}
	return w.write(items)
}

// maxGeneration is the highest number of a block's name beside its FIRST.
const maxGeneration = 999

// create begins a block. Its name is durable before anything in it is listed.
func (w *writer) create(d *disk, first int64) error {
	if n := len(w.blocks); n > 0 {
		first = max(first, w.blocks[n-1].first) // late parts of a segment before
	}
	if w.born < 0 {
		w.born = first
	}
	generation := 0
	for n := len(w.blocks); n > 0 && w.blocks[n-1].first == first; n = 0 {
		_, last, _ := parseBlockName(w.blocks[n-1].name)
		generation = last + 1
	}
	name := blockName(first, generation)
	f, err := d.volume.Create(name)
	for errors.Is(err, fs.ErrExist) && generation < maxGeneration { // by a disk that was away when the store was opened
		generation++
		name = blockName(first, generation)
		f, err = d.volume.Create(name)
	}
	if err != nil {
		return fmt.Errorf("create block: %w", err)
	}
	b := &openBlock{
		block: &block{name: name, first: first, disk: d}, file: f,
		id: rand.Uint32() | 1, newest: -1, limit: w.blockLimit(d),
	}
	header := blockHeader{ID: b.id, First: first, Born: w.born}.marshal()
	if err = f.WriteVector([][]byte{header}, 0); err == nil {
		err = d.volume.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("begin block: %w", err), f.Close(), d.volume.Remove(name))
	}
	b.end = headerSize
	w.current = b
	w.blocks = append(w.blocks, b.block)
	return nil
}

// write appends the items in one write and one sync.
func (w *writer) write(items []*item) error {
	b := w.current
	at, layout := b.end, b.layout
	var buffers [][]byte
	headers := make([]byte, 0, (len(items)+1)*recordSize)
	put := func(h recordHeader, payload []byte) recordHeader {
		h.ID, h.Length, h.CRC = b.id, uint32(len(payload)), crc32.Checksum(payload, castagnoli)
		mark := len(headers)
		headers = h.append(headers)
		buffers = append(buffers, headers[mark:len(headers):len(headers)], payload)
		at += recordSize + int64(len(payload))
		return h
	}
	index := make([]placed, 0, len(items))
	for _, i := range items {
		if i.layout != layout {
			payload, err := i.layout.marshal()
			if err != nil {
				return err
			}
			layout = i.layout
			index = append(index, placed{offset: at, layout: layout})
			put(recordHeader{Type: recordLayout}, payload)
		}
		offset := at
		index = append(index, placed{offset: offset, item: i, header: put(i.record())})
	}
	if err := b.file.WriteVector(buffers, b.end); err != nil {
		return fmt.Errorf("write block: %w", err)
	}
	if err := b.file.Sync(); err != nil {
		return fmt.Errorf("%w: %w", errSync, err)
	}
	w.total += at - b.size
	b.end, b.size, b.layout = at, at, layout
	w.place(index)
	return nil
}

// placed is a record that was written.
type placed struct {
	offset int64
	layout *Layout
	item   *item
	header recordHeader
}

// record is the item's header, but for what write knows, and its payload.
func (i *item) record() (recordHeader, []byte) {
	if i.gap != nil {
		return recordHeader{Type: recordGap, Rendition: uint16(i.rendition), Segment: i.gap.segment}, nil
	}
	c := i.chunk
	h := recordHeader{
		Type: recordChunk, Rendition: uint16(i.rendition), Part: uint16(c.Part), Segment: c.Segment,
		Start: c.Start, Duration: uint32(c.Duration), KeyBytes: uint32(c.KeyBytes),
	}
	if c.Independent {
		h.Flags |= flagIndependent
	}
	if c.Filler {
		h.Flags |= flagFiller
	}
	if c.Last {
		h.Flags |= flagLast
	}
	return h, c.Data
}

// place notes records in the block's index and tells the items where they lie.
func (w *writer) place(index []placed) {
	b := w.current
	for n := range index {
		p := &index[n]
		if p.layout != nil {
			b.index.addLayout(p.offset, p.layout)
			continue
		}
		b.index.addRecord(p.offset, &p.header)
		b.newest = max(b.newest, p.header.Segment)
		w.newest = max(w.newest, p.header.Segment)
		p.item.written = extent{block: b.block, offset: p.offset + recordSize, crc: p.header.CRC}
	}
}

// abandon lets go of a block that cannot be trusted further. What was durable
// in it stays readable; it is scanned and sealed when the store is next opened.
func (w *writer) abandon() {
	b := w.current
	w.current = nil
	if err := errors.Join(b.file.Truncate(b.end), b.file.Close()); err != nil {
		w.log.Warn("leave block", "block", b.name, "err", err)
	}
	if b.end == headerSize {
		w.remove(len(w.blocks) - 1)
	}
}

// sealFinished ends blocks that were followed by another.
func (w *writer) sealFinished() {
	for _, b := range w.finished {
		size, err := seal(b.file, b.id, &b.index, b.end)
		if err == nil && slices.Contains(w.blocks, b.block) {
			w.total += size - b.size
			b.size = size
		}
		if err := errors.Join(err, b.file.Close()); err != nil {
			w.log.Warn("block is left without its index", "block", b.name, "err", err)
		}
	}
	w.finished = nil
}

// seal writes a block's index and trailer at end, and returns its size.
func seal(f blockFile, id uint32, x *blockIndex, end int64) (int64, error) {
	payload := x.marshal()
	h := recordHeader{ID: id, Type: recordIndex, Length: uint32(len(payload)), CRC: crc32.Checksum(payload, castagnoli)}
	head, tail := h.append(nil), marshalTrailer(id, end)
	if err := f.WriteVector([][]byte{head, payload, tail}, end); err != nil {
		return 0, fmt.Errorf("seal block: %w", err)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("seal block: %w", err)
	}
	return end + int64(len(head)+len(payload)+len(tail)), nil
}
