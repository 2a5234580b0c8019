package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// loaded is what opening a block found.
type loaded struct {
	header blockHeader
	index  *blockIndex
	sealed bool  // its own index was read; else it was scanned
	end    int64 // where the last good record ends
	size   int64

	skipped int64 // bytes before end that a scan could make nothing of
}

// errNoBlock says that a file holds nothing that can be read back.
var errNoBlock = errors.New("no readable record in block")

// loadBlock reads a block's index, or scans the block where it has none.
func loadBlock(f blockFile, cache *layoutCache) (*loaded, error) {
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("measure block: %w", err)
	}
	l := &loaded{size: size}
	if err := l.readHeader(f); err != nil {
		return nil, err
	}
	if err := l.readIndex(f, cache); err == nil {
		l.sealed, l.end = true, size
		return l, nil
	} else if !errors.Is(err, errIndex) {
		return nil, err
	}
	s := scanner{window: window{file: f, size: size}, id: l.header.ID, index: &blockIndex{}}
	if err := s.run(); err != nil {
		return nil, fmt.Errorf("scan block: %w", err)
	}
	l.index, l.end, l.skipped = s.index, s.end, s.end-headerSize-s.good
	return l, nil
}

// readHeader takes the block's id from its first record where the header itself
// is damaged; Born and First are then left to the neighbours.
func (l *loaded) readHeader(f blockFile) error {
	head := make([]byte, headerSize+recordSize)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read block header: %w", err)
	}
	if l.header, err = parseHeader(head[:n]); err == nil {
		return nil
	}
	if n < len(head) {
		return errNoBlock
	}
	record, err := parseRecord(head[headerSize:])
	if err != nil {
		return errNoBlock
	}
	l.header = blockHeader{ID: record.ID, First: -1, Born: -1}
	return nil
}

// readIndex fails with errIndex where the block must be scanned.
func (l *loaded) readIndex(f blockFile, cache *layoutCache) error {
	if l.size < headerSize+recordSize+trailerSize {
		return errIndex
	}
	tail := make([]byte, trailerSize)
	if _, err := f.ReadAt(tail, l.size-trailerSize); err != nil {
		return fmt.Errorf("read block trailer: %w", err)
	}
	id, at, err := parseTrailer(tail)
	length := l.size - trailerSize - at - recordSize
	if err != nil || id != l.header.ID || length < 0 || length > maxPayload {
		return errIndex
	}
	payload, h, err := readRecord(f, at, l.size-trailerSize)
	if err != nil || h.Type != recordIndex || h.ID != id {
		return errIndex
	}
	if l.index, err = parseIndex(payload, at); err != nil {
		return err
	}
	for i := range l.index.layouts {
		payload, h, err := readRecord(f, l.index.layouts[i].offset, at)
		if err != nil || h.Type != recordLayout || h.ID != id {
			return errIndex
		}
		if l.index.layouts[i].layout, err = cache.parse(payload); err != nil {
			return errIndex
		}
	}
	return nil
}

// readRecord reads one record that must end at or before limit, and checks it.
func readRecord(f io.ReaderAt, at, limit int64) ([]byte, recordHeader, error) {
	head := make([]byte, recordSize)
	if at < headerSize || at+recordSize > limit {
		return nil, recordHeader{}, errRecord
	}
	if _, err := f.ReadAt(head, at); err != nil {
		return nil, recordHeader{}, fmt.Errorf("read record: %w", err)
	}
	h, err := parseRecord(head)
	if err != nil || at+recordSize+int64(h.Length) > limit {
		return nil, recordHeader{}, errRecord
	}
	payload := make([]byte, h.Length)
	if _, err := f.ReadAt(payload, at+recordSize); err != nil {
		return nil, recordHeader{}, fmt.Errorf("read record: %w", err)
	}
	if crc32.Checksum(payload, castagnoli) != h.CRC {
		return nil, recordHeader{}, errRecord
	}
	return payload, h, nil
}

// scanner finds every good record of a block, from its header to its end. A bad
// payload costs its record, a bad header what lies before the next good header.
type scanner struct {
	window window
	id     uint32
	index  *blockIndex
	layout *Layout // in force; nil before the first and after a bad one
	end    int64
	good   int64 // bytes of good records
}

func (s *scanner) run() error { return s.scan(headerSize) }

// scan takes the records from an offset on, which may lie in the middle of one.
func (s *scanner) scan(from int64) error {
	s.end = from
	for at := from; at+recordSize <= s.window.size; {
		head, err := s.window.at(at, recordSize)
		if err != nil {
			return err
		}
		h, err := parseRecord(head)
		next := at + recordSize + int64(h.Length)
		if err != nil || h.ID != s.id || next > s.window.size {
			if at, err = s.resync(at + 1); err != nil {
				return err
			}
			continue
		}
		good, err := s.take(at, &h)
		if err != nil {
			return err
		}
		if good {
			s.end, s.good = next, s.good+next-at
		}
		at = next
	}
	return nil
}

// resync finds the next place at or after at where a record may begin.
func (s *scanner) resync(at int64) (int64, error) {
	id := binary.LittleEndian.AppendUint32(nil, s.id)
	for at+recordSize <= s.window.size {
		n := min(s.window.size-at, windowSize)
		view, err := s.window.at(at, int(n))
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(view, id); i >= 0 {
			return at + int64(i), nil
		}
		at += n - int64(len(id)) + 1
	}
	return s.window.size, nil
}

// take checks a record's payload and notes the record.
func (s *scanner) take(at int64, h *recordHeader) (good bool, err error) {
	sum, err := s.window.sum(at+recordSize, int64(h.Length))
	if err != nil {
		return false, err
	}
	switch good = sum == h.CRC; h.Type {
	case recordLayout:
		s.layout = nil
		if good {
			payload, _, err := readRecord(s.window.file, at, s.window.size)
			if err != nil {
				return false, err
			}
			s.layout, _ = parseLayout(payload) // a layout of a later version costs its chunks only
		}
		if s.layout != nil && len(s.index.layouts) < 1<<16 {
			s.index.addLayout(at, s.layout)
		}
	case recordChunk, recordGap:
		if good && s.layout != nil && int(h.Rendition) < len(s.layout.Renditions) {
			s.index.addRecord(at, h)
		}
	case recordIndex:
		good = false // of an end that was not finished
	}
	return good, nil
}

// window reads a file in order through a buffer of fixed size.
type window struct {
	file   io.ReaderAt
	size   int64
	buffer []byte
	offset int64
	filled int
}

const windowSize = 1 << 20

// at is n bytes from offset on, valid until the next call; n <= windowSize.
func (w *window) at(offset int64, n int) ([]byte, error) {
	if offset >= w.offset && offset+int64(n) <= w.offset+int64(w.filled) {
		return w.buffer[offset-w.offset:][:n], nil
	}
	if w.buffer == nil {
		w.buffer = make([]byte, min(windowSize, max(w.size, recordSize)))
	}
	want := int(min(int64(len(w.buffer)), w.size-offset))
	got, err := w.file.ReadAt(w.buffer[:want], offset)
	if got < n {
		return nil, fmt.Errorf("read block at %d: %w", offset, err)
	}
	w.offset, w.filled = offset, got
	return w.buffer[:n], nil
}

// sum is the CRC-32C of length bytes from offset on.
func (w *window) sum(offset, length int64) (uint32, error) {
	var sum uint32
	for length > 0 {
		n := min(length, int64(len(w.buffer)))
		if have := w.offset + int64(w.filled) - offset; have > 0 {
			n = min(length, have)
		}
		view, err := w.at(offset, int(n))
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, view)
		offset, length = offset+n, length-n
	}
	return sum, nil
}
