package record

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"sync"
)

// block is a block file of the store. Size belongs to the writer.
type block struct {
	name  string
	first int64 // no segment below it is in this block or a later one
	size  int64
	disk  *disk
}

func (b *block) read(p []byte, offset int64) error { return b.disk.handles.read(b.name, p, offset) }

var blockPattern = regexp.MustCompile(`^(\d{12})\.(\d{3})\.block$`)

func blockName(first int64, generation int) string {
	return fmt.Sprintf("%012d.%03d.block", first, generation)
}

// parseBlockName is the inverse of blockName.
func parseBlockName(name string) (first int64, generation int, ok bool) {
	m := blockPattern.FindStringSubmatch(name)
	if m == nil {
		return 0, 0, false
	}
	first, _ = strconv.ParseInt(m[1], 10, 64) // twelve digits
	generation, _ = strconv.Atoi(m[2])
	return first, generation, true
}

// handles keeps a bounded number of block files open for readers. A handle is
// held during one pread only, so that slow readers hold none.
type handles struct {
	volume volume

	mu     sync.Mutex
	open   map[string]*handle
	serial uint64
}

type handle struct {
	file blockFile
	used uint64 // serial of the last use
	refs int
	gone bool
}

const maxHandles = 16

func newHandles(v volume) *handles { return &handles{volume: v, open: map[string]*handle{}} }

func (s *handles) read(name string, p []byte, offset int64) error {
	h, err := s.acquire(name)
	if err != nil {
		return fmt.Errorf("open block: %w", err)
	}
	defer s.release(h)
	if n, err := h.file.ReadAt(p, offset); n < len(p) {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read block: %w", err)
	}
	return nil
}

func (s *handles) acquire(name string) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	h := s.open[name]
	if h == nil {
		file, err := s.volume.Open(name)
		if err != nil {
			return nil, err
		}
		s.evict()
		h = &handle{file: file}
		s.open[name] = h
	}
	h.used = s.serial
	h.refs++
	return h, nil
}

func (s *handles) release(h *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.refs--; h.refs == 0 && h.gone {
		_ = h.file.Close() // opened for reading; nothing to lose
	}
}

// evict closes the idle handle that was used least recently, if there are too many.
func (s *handles) evict() {
	if len(s.open) < maxHandles {
		return
	}
	var oldest string
	for name, h := range s.open {
		if h.refs == 0 && (oldest == "" || h.used < s.open[oldest].used) {
			oldest = name
		}
	}
	if oldest != "" {
		s.drop(oldest)
	}
}

func (s *handles) drop(name string) {
	h := s.open[name]
	if h == nil {
		return
	}
	delete(s.open, name)
	h.gone = true
	if h.refs == 0 {
		_ = h.file.Close()
	}
}

// forget closes the handle of a removed block once its last read is over.
func (s *handles) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(name)
}

func (s *handles) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.open {
		s.drop(name)
	}
}
