package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
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
}

// Check reads every byte that a folder's blocks hold and tells what is damaged,
// block by block. It changes nothing and takes no lock: a block that a running
// store writes is found without its index, which is no damage.
func Check(ctx context.Context, dir string, found func(Finding)) (Summary, error) {
	v, err := openReadOnly(dir)
	if err != nil {
		return Summary{}, err
	}
	defer v.Close()
	names, err := v.Names()
	if err != nil {
		return Summary{}, fmt.Errorf("list blocks: %w", err)
	}
	slices.Sort(names)
	c := checker{ctx: ctx, volume: v, found: found}
	for _, name := range names {
		if _, _, ok := parseBlockName(name); !ok {
			continue
		}
		if err := c.block(name); err != nil {
			return c.summary, err
		}
	}
	return c.summary, nil
}

type checker struct {
	ctx     context.Context
	volume  volume
	found   func(Finding)
	summary Summary
}

func (c *checker) report(f Finding) {
	c.summary.Findings++
	c.found(f)
}

func (c *checker) block(name string) error {
	c.summary.Blocks++
	f, err := c.volume.Open(name)
	if err != nil {
		c.report(Finding{Block: name, Detail: err.Error()})
		return nil
	}
	defer f.Close()
	l, err := loadBlock(f)
	if err != nil {
		c.report(Finding{Block: name, Detail: err.Error()})
		return nil
	}
	c.summary.Bytes += l.size
	switch {
	case l.header.First < 0:
		c.report(Finding{Block: name, Detail: "its header is damaged"})
	case !l.sealed && l.end < l.size:
		c.report(Finding{Block: name, Detail: fmt.Sprintf("it has no index, and %d bytes after the last good record", l.size-l.end)})
	case !l.sealed:
		c.report(Finding{Block: name, Detail: "it has no index: its writer was killed, or still writes it"})
	}
	if !l.sealed {
		l.index.pack()
	}
	return c.entries(name, l)
}

// entries reads every chunk that the index of a block names.
func (c *checker) entries(name string, l *loaded) error {
	own := &block{name: name, handles: newHandles(c.volume)}
	defer own.handles.close()
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
			x := extent{block: own, offset: p.offset, crc: p.crc}
			if err := x.check(int(p.length)); err != nil {
				c.report(Finding{Block: name, Rendition: rendition, Segment: e.segment, Part: part, Detail: damage(err)})
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

func openReadOnly(dir string) (*readOnly, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open store folder: %w", err)
	}
	return &readOnly{root}, nil
}

// OpenReadOnly reads what a folder holds, without a lock and without changing
// anything. Its Run must not be called.
func OpenReadOnly(config Config) (*Store, error) {
	v, err := openReadOnly(config.Dir)
	if err != nil {
		return nil, err
	}
	s, err := open(config, v)
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return s, nil
}

func (v *readOnly) Create(string) (blockFile, error) { return nil, fs.ErrPermission }
func (v *readOnly) Remove(string) error              { return fs.ErrPermission }
func (v *readOnly) Sync() error                      { return nil }
func (v *readOnly) Free() (int64, error)             { return 0, nil }
func (v *readOnly) Close() error                     { return v.root.Close() }

func (v *readOnly) Open(name string) (blockFile, error) {
	f, err := v.root.Open(name)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (v *readOnly) Names() ([]string, error) { return namesIn(v.root) }
