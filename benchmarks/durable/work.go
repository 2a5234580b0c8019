package durable

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

// killDir is the folder into which our side writes until it is killed.
const killDir = "MILLRACE_BENCH_KILL_DIR"

// Work is our side's process: it stores as many segments of the input, or writes
// and says what is listed until it is killed.
func Work(ctx context.Context, folder string, segments int) error {
	if segments == 0 {
		return writeUntilKilled(ctx, os.Getenv(killDir))
	}
	dirs, err := filepath.Glob(filepath.Join(folder, Name+"-*[0-9]"))
	if err != nil || len(dirs) == 0 {
		return fmt.Errorf("no input in %s", folder)
	}
	in, err := openInput(dirs[len(dirs)-1])
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "dvr-durable-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return withStore(ctx, record.Config{Dirs: []string{dir}}, func(ctx context.Context, store *record.Store) error {
		if err := store.SetLayout(in.layout); err != nil {
			return err
		}
		return in.store(ctx, store, segments)
	})
}

// withStore opens a store and runs it while it is used.
func withStore(ctx context.Context, config record.Config, use func(context.Context, *record.Store) error) error {
	store, err := record.Open(config)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- store.Run(run) }()
	err = use(ctx, store)
	stop()
	return errors.Join(err, <-done, store.Close())
}

// store packages the files, and waits for each part to be listed before the next.
func (in *input) store(ctx context.Context, store *record.Store, segments int) error {
	packager := cmaf.NewPackager(in.layout.Renditions, store.Append)
	var files []*chunks
	for _, r := range in.layout.Renditions {
		file, err := os.Open(in.file(r.ID))
		if err != nil {
			return err
		}
		defer file.Close()
		files = append(files, &chunks{from: bufio.NewReaderSize(file, 1<<20), rendition: r})
	}
	for k := in.first; k < in.first+int64(segments); k++ {
		for part := range in.layout.Grid.Parts() {
			for _, file := range files {
				if err := file.next(packager); err != nil {
					return fmt.Errorf("read %s: %w", file.rendition.ID, err)
				}
			}
			if err := await(ctx, store, in.layout.Renditions, k, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunks reads a fragmented file, chunk by chunk.
type chunks struct {
	from      *bufio.Reader
	rendition *cmaf.Rendition
}

// next writes the packets of the next chunk.
func (c *chunks) next(sink media.Sink) error {
	var chunk []byte
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c.from, head); err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(head))
		if size < len(head) {
			return fmt.Errorf("box of %d bytes", size)
		}
		at := len(chunk)
		chunk = append(chunk, head...)
		chunk = append(chunk, make([]byte, size-len(head))...)
		if _, err := io.ReadFull(c.from, chunk[at+len(head):]); err != nil {
			return err
		}
		switch kind := string(head[4:]); kind {
		case "ftyp", "moov":
			chunk = chunk[:0]
		case "mdat":
			return c.write(sink, chunk)
		}
	}
}

func (c *chunks) write(sink media.Sink, chunk []byte) error {
	s, err := cmaf.ReadSamples(chunk)
	if err != nil {
		return err
	}
	at, data := s.Start, chunk[s.Payload:]
	for i, size := range s.Sizes {
		t := c.rendition.Time(at)
		sink.Write(&media.Packet{Track: c.rendition.Track, PTS: t, DTS: t, Key: s.Sync[i], Data: data[:size:size]})
		at, data = at+int64(s.Duration), data[size:]
	}
	return nil
}

// await waits until a part of all renditions is listed.
func await(ctx context.Context, store *record.Store, renditions []*cmaf.Rendition, k int64, part int) error {
	for {
		edge := store.Edge()
		if listed(edge, renditions, k, part) {
			return nil
		}
		select {
		case <-edge.Changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func listed(edge *record.Edge, renditions []*cmaf.Rendition, k int64, part int) bool {
	for _, r := range renditions {
		listing := edge.Listing(r.ID)
		if listing == nil {
			return false
		}
		if segment, newest := listing.Newest(); segment < k || segment == k && newest < part {
			return false
		}
	}
	return true
}

// killLayout is a channel whose chunks need no encoder.
func killLayout() (record.Layout, error) {
	rate, err := media.ParseRate(inputRate)
	if err != nil {
		return record.Layout{}, err
	}
	l := record.Layout{Grid: cmaf.NewGrid(rate)}
	for _, rung := range rungs() {
		l.Renditions = append(l.Renditions, &cmaf.Rendition{
			ID: rung.ID, Grid: l.Grid, Codec: "avc1.640028", Width: rung.Width, Height: rung.Height, Bandwidth: rung.Bitrate,
			Track:    &media.Track{ID: rung.ID, Kind: media.Video, Codec: media.H264, Width: rung.Width, Height: rung.Height, Rate: rate},
			InitName: "init-" + rung.ID + ".mp4", Init: []byte(rung.ID),
		})
	}
	return l, nil
}

// chunkOf is a part with bytes that follow from its number.
func chunkOf(r *cmaf.Rendition, k int64, part, size int) *cmaf.Chunk {
	first, next := r.FirstUnit(k, part), r.FirstUnit(k, part+1)
	text := fmt.Appendf(nil, "%s %d.%d ", r.ID, k, part)
	return &cmaf.Chunk{
		Rendition: r.ID, Segment: k, Part: part, Timescale: r.Timescale(), Start: first * r.UnitTicks(), Duration: (next - first) * r.UnitTicks(),
		Time: r.Time(first * r.UnitTicks()), Independent: part%8 == 0, Last: part == r.Grid.Parts()-1,
		Data: bytes.Repeat(text, size/len(text)+1),
	}
}

// partBytes is the size of a part of a rendition.
func partBytes(r *cmaf.Rendition) int { return r.Bandwidth / 8 / 5 }

// writeUntilKilled says of each part when it is listed, and durable.
func writeUntilKilled(ctx context.Context, dir string) error {
	l, err := killLayout()
	if err != nil {
		return err
	}
	return withStore(ctx, record.Config{Dirs: []string{dir}, Window: 5 * time.Minute}, func(ctx context.Context, store *record.Store) error {
		if err := store.SetLayout(l); err != nil {
			return err
		}
		for k := store.NextSegment(media.TimeOf(time.Now()), l.Grid); ; k++ {
			for part := range l.Grid.Parts() {
				for _, r := range l.Renditions {
					store.Append(chunkOf(r, k, part, partBytes(r)))
				}
				if err := await(ctx, store, l.Renditions, k, part); err != nil {
					return err
				}
				if !store.State().Degraded {
					fmt.Println(k, part)
				}
			}
		}
	})
}
