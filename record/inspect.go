package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// Finding is something in a store's folder that is not as it was written.
type Finding struct {
	Block     string `json:"block"`
	Rendition string `json:"rendition,omitempty"`
	Segment   int64  `json:"segment,omitempty"`
	Part      int    `json:"part,omitempty"`
	Detail    string `json:"detail"`
}

// Summary is what Check has read.
type Summary struct {
	Blocks   int   `json:"blocks"`
	Bytes    int64 `json:"bytes"`
	Chunks   int   `json:"chunks"`
	Findings int   `json:"findings"`
	// Open are blocks without an index: one that is being written, or that was
	// when its writer was killed. The store writes the index when it is next
	// opened; nothing is lost.
	Open []OpenBlock `json:"open"`
}

// OpenBlock is a block without an index.
type OpenBlock struct {
	Block string `json:"block"`
	Tail  int64  `json:"tail"` // bytes of records that were not finished, and so were not listed
}

// Check reads every byte that the blocks in a channel's folders hold and tells
// what is damaged, block by block. It changes nothing and takes no lock, so that
// it works beside a running store.
func Check(ctx context.Context, dirs []string, found func(Finding)) (Summary, error) {
	disks, err := openDisksReadOnly(dirs)
	if err != nil {
		return Summary{}, err
	}
	defer closeDisks(disks)
	blocks, err := listBlocks(disks)
	if err != nil {
		return Summary{}, err
	}
	c := checker{ctx: ctx, found: found, summary: Summary{Open: []OpenBlock{}}}
	for i, b := range blocks {
		if err := c.block(b, i == len(blocks)-1); err != nil {
			return c.summary, err
		}
	}
	return c.summary, nil
}

type checker struct {
	ctx     context.Context
	found   func(Finding)
	summary Summary
}

func (c *checker) report(f Finding) {
	c.summary.Findings++
	c.found(f)
}

func (c *checker) block(b *block, newest bool) error {
	c.summary.Blocks++
	f, err := b.disk.volume.Open(b.name)
	if err != nil {
		c.report(Finding{Block: b.name, Detail: err.Error()})
		return nil
	}
	defer f.Close()
	l, err := loadBlock(f, nil)
	if err != nil && !(newest && errors.Is(err, errNoBlock)) {
		c.report(Finding{Block: b.name, Detail: err.Error()})
		return nil
	}
	if err != nil { // it has only just begun
		c.summary.Open = append(c.summary.Open, OpenBlock{Block: b.name})
		return nil
	}
	c.summary.Bytes += l.size
	if l.header.First < 0 {
		c.report(Finding{Block: b.name, Detail: "its header is damaged"})
	}
	if !l.sealed {
		c.unsealed(b, l, newest)
	}
	return c.entries(b, l)
}

// unsealed judges a block without an index. Only the newest may end in a record
// that is not finished.
func (c *checker) unsealed(b *block, l *loaded, newest bool) {
	if l.skipped > 0 {
		c.report(Finding{Block: b.name, Detail: fmt.Sprintf("%d bytes between its records are not those that were written", l.skipped)})
	}
	tail := l.size - l.end
	if tail > 0 && !newest {
		c.report(Finding{Block: b.name, Detail: fmt.Sprintf("it has no index, and %d bytes after the last good record", tail)})
	} else {
		c.summary.Open = append(c.summary.Open, OpenBlock{Block: b.name, Tail: tail})
	}
	l.index.pack()
}

// entries reads every chunk that the index of a block names.
func (c *checker) entries(b *block, l *loaded) error {
	for i := range l.index.entries {
		if err := c.ctx.Err(); err != nil {
			return fmt.Errorf("check store: %w", err)
		}
		e := &l.index.entries[i]
		rendition := fmt.Sprint(e.rendition)
		if all := l.index.layouts[e.layout].layout.Renditions; int(e.rendition) < len(all) {
			rendition = all[e.rendition].ID
		}
		part := int(e.from)
		for packed := e.packed; len(packed) > 0; packed = packed[entryPartSize:] {
			p := parsePart(packed)
			c.summary.Chunks++
			x := extent{block: b, offset: p.offset, crc: p.crc}
			if err := x.check(int(p.length)); err != nil {
				c.report(Finding{Block: b.name, Rendition: rendition, Segment: e.segment, Part: part, Detail: damage(err)})
			}
			part++
		}
	}
	return nil
}

func damage(err error) string {
	if errors.Is(err, errRecord) {
		return "its bytes are not those that were written"
	}
	return err.Error()
}

// readOnly is a folder that is looked at.
type readOnly struct {
	root *os.Root
}

func openDisksReadOnly(dirs []string) ([]*disk, error) {
	var disks []*disk
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open store folder: %w", err), closeDisks(disks))
		}
		disks = append(disks, newDisk(dir, &readOnly{root}, slog.New(slog.DiscardHandler)))
	}
	return disks, nil
}

// OpenReadOnly reads what the folders hold, without a lock and without changing
// anything. Its Run must not be called.
func OpenReadOnly(config Config) (*Store, error) {
	disks, err := openDisksReadOnly(config.Dirs)
	if err != nil {
		return nil, err
	}
	s, err := open(config.withDefaults(), disks)
	if err != nil {
		return nil, errors.Join(err, closeDisks(disks))
	}
	return s, nil
}

func (v *readOnly) Create(string) (blockFile, error) { return nil, fs.ErrPermission }
func (v *readOnly) Remove(string) error              { return fs.ErrPermission }
func (v *readOnly) Sync() error                      { return nil }
func (v *readOnly) Free() (int64, error)             { return 0, nil }
func (v *readOnly) Probe() error                     { return nil }
func (v *readOnly) Close() error                     { return v.root.Close() }

func (v *readOnly) Open(name string) (blockFile, error) {
	f, err := v.root.Open(name)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (v *readOnly) Names() ([]string, error) { return namesIn(v.root) }
