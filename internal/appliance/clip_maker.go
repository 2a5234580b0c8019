package appliance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"millrace/api"
	"millrace/internal/child"
	"millrace/mixer/reencode"
	"millrace/output/origin"
	"millrace/record"
)

const (
	clipEncoders  = 2                // processes at once
	encodingLimit = 60 * time.Second // of one clip's beginning
	encodingTries = 2
)

// clipMaker has the beginnings of exact clips encoded and keeps them: one file
// for each rendition in a directory for each clip.
type clipMaker struct {
	channels *channels
	root     *os.Root
	places   chan struct{}

	mu    sync.Mutex
	ready []string // ids of clips to make, for Run
	wake  chan struct{}
}

func newClipMaker(c *channels) (*clipMaker, error) {
	if err := os.MkdirAll(c.base.Clips, 0o750); err != nil {
		return nil, fmt.Errorf("make directory of clips: %w", err)
	}
	root, err := os.OpenRoot(c.base.Clips)
	if err != nil {
		return nil, fmt.Errorf("open directory of clips: %w", err)
	}
	m := &clipMaker{channels: c, root: root, places: make(chan struct{}, clipEncoders), wake: make(chan struct{}, 1)}
	for _, s := range c.archive.clips.all() {
		m.add(s.Value)
	}
	return m, nil
}

// add has a clip made that is not ready yet.
func (m *clipMaker) add(clip storedClip) {
	if clip.Job == "" || clip.Made || clip.Failure != "" {
		return
	}
	m.mu.Lock()
	m.ready = append(m.ready, clip.ID)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run makes clips until the context ends. What is not made by then is made
// after the next start.
func (m *clipMaker) Run(ctx context.Context) {
	m.sweep()
	var making sync.WaitGroup
	defer making.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		}
		m.mu.Lock()
		ids := m.ready
		m.ready = nil
		m.mu.Unlock()
		for _, id := range ids {
			making.Go(func() { m.make(ctx, id) })
		}
	}
}

// make waits until a clip's media are stored, encodes the beginning of an exact
// one, and says so in its document.
func (m *clipMaker) make(ctx context.Context, id string) {
	found, err := m.channels.archive.clips.get(id)
	if err != nil || m.await(ctx, found.Value) != nil {
		return // it was deleted, or the node ends
	}
	if found.Value.exact() {
		err = m.begin(ctx, found.Value)
	}
	if ctx.Err() != nil {
		return
	}
	made, changeErr := m.channels.archive.clips.change(ctx, id, api.Match{Any: true}, func(clip *storedClip) error {
		clip.Made = err == nil
		if err != nil {
			clip.Failure = "Its beginning could not be encoded: " + err.Error()
		}
		return nil
	})
	if changeErr != nil { // deleted meanwhile, most likely
		m.forget(id)
		return
	}
	if err != nil {
		m.channels.log.Error("make exact clip", "clip", id, "channel", found.Value.Channel, "err", err)
		m.channels.bus.Publish("clip.failed", m.channels.viewClip(made.Value))
		return
	}
	m.channels.bus.Publish("clip.ready", m.channels.viewClip(made.Value))
}

// begin encodes the beginning of an exact clip when there is a place for it.
func (m *clipMaker) begin(ctx context.Context, clip storedClip) (err error) {
	select {
	case m.places <- struct{}{}:
		defer func() { <-m.places }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for range encodingTries {
		if err = m.encode(ctx, clip); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

// await returns when a clip is stored as far as it will be.
func (m *clipMaker) await(ctx context.Context, clip storedClip) error {
	c := m.channels
	for {
		if _, err := c.archive.clips.get(clip.ID); err != nil {
			return err
		}
		edge, changed := c.edgeOf(clip.Channel)
		if edge != nil && c.complete(clip, c.held(clip.Channel, clip.From, clip.To)) {
			return nil
		}
		timer := time.NewTimer(time.Second) // for the clock, and for what is deleted
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// edgeOf is what is listed of a channel, and what closes when that changes; nil
// where there is no open store with anything in it.
func (c *channels) edgeOf(channel string) (*record.Edge, <-chan struct{}) {
	p, err := c.find(channel)
	if err != nil {
		return nil, nil
	}
	c.mu.RLock()
	store := p.store
	c.mu.RUnlock()
	if store == nil {
		return nil, nil
	}
	edge := store.Edge()
	if edge.Layout == nil {
		return nil, edge.Changed
	}
	return edge, edge.Changed
}

func (m *clipMaker) encode(ctx context.Context, clip storedClip) error {
	ctx, cancel := context.WithTimeout(ctx, encodingLimit)
	defer cancel()
	edge, _ := m.channels.edgeOf(clip.Channel)
	if edge == nil {
		return errors.New("the channel's store is not open")
	}
	rate := edge.Layout.Grid.Rate
	leads, err := record.Leads(ctx, m.channels.base.Reencoder, edge, clip.firstFrame(rate), clip.endFrame(rate))
	if err != nil {
		return err
	}
	return m.store(clip.ID, leads)
}

// store writes the leads of a clip so that they are durable when it returns.
func (m *clipMaker) store(id string, leads map[string]record.Lead) error {
	if err := m.root.Mkdir(id, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make directory of clip: %w", err)
	}
	for rendition, lead := range leads {
		if lead.Chunk == nil {
			continue
		}
		if err := m.write(leadPath(id, rendition), lead.Chunk); err != nil {
			return fmt.Errorf("store beginning of clip: %w", err)
		}
	}
	return m.sync(id)
}

// leadPath is a file below root. Both ids are slugs or ULIDs.
func leadPath(id, rendition string) string { return id + "/" + rendition + ".m4s" }

func (m *clipMaker) write(path string, data []byte) error {
	file, err := m.root.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return m.root.Rename(path+".new", path)
}

// sync makes the names in a directory and the directory's own durable.
func (m *clipMaker) sync(id string) error {
	for _, name := range []string{id, "."} {
		directory, err := m.root.Open(name)
		if err == nil {
			err = errors.Join(directory.Sync(), directory.Close())
		}
		if err != nil {
			return fmt.Errorf("store beginning of clip: %w", err)
		}
	}
	return nil
}

// lead is the beginning of a clip in a rendition; nil for none.
func (m *clipMaker) lead(id, rendition string) []byte {
	data, err := m.root.ReadFile(leadPath(id, rendition))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.channels.log.Error("read beginning of clip", "clip", id, "rendition", rendition, "err", err)
	}
	return data
}

// forget removes what a clip had of its own.
func (m *clipMaker) forget(id string) {
	if err := m.root.RemoveAll(id); err != nil {
		m.channels.log.Warn("remove what a deleted clip had", "clip", id, "err", err)
	}
}

func (m *clipMaker) close() error { return m.root.Close() }

// sweep removes what a node that ended at the wrong moment left.
func (m *clipMaker) sweep() {
	entries, err := fs.ReadDir(m.root.FS(), ".")
	if err != nil {
		m.channels.log.Warn("list directory of clips", "err", err)
	}
	for _, entry := range entries {
		if _, err := m.channels.archive.clips.get(entry.Name()); err != nil {
			m.forget(entry.Name())
		}
	}
}

// reencoder starts a process for each clip.
type reencoder struct{ command child.Command }

// draw has one sheet of thumbnails made.
func (e reencoder) draw(ctx context.Context, s origin.Sheet) ([]byte, error) {
	sheet := reencode.Sheet{Columns: s.Columns, Rows: s.Rows, Width: s.Width, Height: s.Height}
	for i, picture := range s.Pictures {
		sheet.Stills = append(sheet.Stills, reencode.Still{Track: s.Tracks[i], Data: picture})
	}
	return reencode.Draw(ctx, e.command, sheet)
}

// Reencode implements record.Reencoder.
func (e reencoder) Reencode(ctx context.Context, passages []record.Passage) ([][][]byte, error) {
	tasks := make([]reencode.Task, len(passages))
	for i, p := range passages {
		tasks[i] = reencode.Task{
			Track: p.Rendition.Track, Bitrate: p.Rendition.Bitrate(), Units: p.Units, From: p.From, To: p.To, Next: p.Next,
		}
	}
	return reencode.Run(ctx, e.command, tasks)
}
