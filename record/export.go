package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Exported is a file that Export has made.
type Exported struct {
	Name      string `json:"name"`
	Rendition string `json:"rendition"`
	Segments  int    `json:"segments"`
	Missing   int    `json:"missing"` // segments that are gaps, or damaged
	Bytes     int64  `json:"bytes"`
}

// Export writes everything that a store lists as fragmented MP4 into dir: a file
// a rendition, and another one from each change of its init section on. Files
// that exist are not written over.
func Export(ctx context.Context, s *Store, dir string) ([]Exported, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder to export to: %w", err)
	}
	defer root.Close()
	var all []Exported
	for _, l := range s.Edge().Listings() {
		e := exporter{root: root, rendition: l.ID}
		for g := range l.All {
			if err := ctx.Err(); err != nil {
				return all, errors.Join(fmt.Errorf("export store: %w", err), e.end())
			}
			if err := e.add(g); err != nil {
				return all, errors.Join(fmt.Errorf("export rendition %q: %w", l.ID, err), e.end())
			}
		}
		if err := e.end(); err != nil {
			return all, fmt.Errorf("export rendition %q: %w", l.ID, err)
		}
		all = append(all, e.made...)
	}
	return all, nil
}

type exporter struct {
	root      *os.Root
	rendition string
	made      []Exported
	file      *os.File // the one of the last of made; nil when there is none
	init      string   // name of its init section
}

func (e *exporter) add(g *Segment) error {
	if g.Rendition.InitName != e.init || e.file == nil {
		if g.Gap() {
			return nil // before a file begins
		}
		if err := e.begin(g); err != nil {
			return err
		}
	}
	made := &e.made[len(e.made)-1]
	if g.Gap() || g.Check(0, g.Len()) != nil {
		made.Missing++
		return nil
	}
	if err := g.WriteParts(e.file, 0, g.Len()); err != nil {
		return err
	}
	made.Segments++
	return nil
}

// begin ends the file before and makes the next one.
func (e *exporter) begin(g *Segment) error {
	if err := e.end(); err != nil {
		return err
	}
	name := e.rendition + ".mp4"
	if n := len(e.made); n > 0 {
		name = fmt.Sprintf("%s-%d.mp4", e.rendition, n+1)
	}
	f, err := e.root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	e.file, e.init = f, g.Rendition.InitName
	e.made = append(e.made, Exported{Name: name, Rendition: e.rendition})
	_, err = f.Write(g.Rendition.Init)
	return err
}

func (e *exporter) end() error {
	if e.file == nil {
		return nil
	}
	size, err := e.file.Seek(0, io.SeekCurrent)
	e.made[len(e.made)-1].Bytes = size
	err = errors.Join(err, e.file.Sync(), e.file.Close())
	e.file = nil
	return err
}
