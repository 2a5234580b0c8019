package iso

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/internal/media"
)

// queueBytes is what a recorder holds for a disk that is slow, bytes.
const queueBytes = 32 << 20

// blindAfter is how long a source has sent no picture when its sound alone is
// recorded again.
const blindAfter = 5 * time.Second

// waitingUnits bounds what is held of a new track until the next key frame.
const waitingUnits = 1000

// Config is what a Recorder is made of.
type Config struct {
	Dir    string // of the recording, there already
	Source string // its files are SOURCE-1.mp4, SOURCE-2.mp4, …
	// Room says whether the volume takes more; nil: it does.
	Room func() bool
	Log  *slog.Logger
}

// Recorder records one source from when it is subscribed until Run ends.
type Recorder struct {
	config Config
	files  int // there already

	mu      sync.Mutex
	queue   []*media.Packet
	bytes   int
	dropped int64
	skip    bool       // until the next key frame
	seen    media.Time // DTS of the newest picture
	fault   string
	left    string // why a track is left out
	wake    chan struct{}

	// Of Run.
	film    *film
	file    *os.File
	waiting []*media.Packet // of a track that the present file does not have
	refused map[media.Codec]bool
}

// State is how a recorder is doing.
type State struct {
	Dropped int64  // packets
	Fault   string // why what comes, or some of it, is not recorded; empty when it is
}

// New finishes what an earlier recorder of the source left, and goes on behind it.
func New(config Config) (*Recorder, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{config: config, wake: make(chan struct{}, 1), refused: map[media.Codec]bool{}}
	entries, err := os.ReadDir(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("open ISO recording: %w", err)
	}
	for _, entry := range entries {
		n, ok := numberOf(entry.Name(), config.Source)
		if !ok {
			continue
		}
		r.files = max(r.files, n)
		if err := Repair(config.Dir + "/" + entry.Name()); err != nil {
			config.Log.Warn("an ISO recording that broke off cannot be finished", "source", config.Source, "file", entry.Name(), "err", err)
		}
	}
	return r, nil
}

// NameOf is the file name of a source's n-th file, from 1.
func NameOf(source string, n int) string { return source + "-" + strconv.Itoa(n) + ".mp4" }

// numberOf is the number in a name that NameOf gave.
func numberOf(name, source string) (int, bool) {
	text, ok := strings.CutPrefix(name, source+"-")
	text, isFilm := strings.CutSuffix(text, ".mp4")
	n, err := strconv.Atoi(text)
	return n, ok && isFilm && err == nil && NameOf(source, n) == name
}

// Write implements media.Sink: it never blocks. Where the disk cannot keep up,
// packets are dropped up to the next key frame, or where no pictures come.
func (r *Recorder) Write(p *media.Packet) {
	r.mu.Lock()
	key := p.Key
	if p.Track.Kind == media.Video {
		r.seen = p.DTS
	} else {
		key = p.DTS.Sub(r.seen) > blindAfter
	}
	switch {
	case r.bytes+len(p.Data) > queueBytes:
		r.skip = true
		r.dropped++
	case r.skip && !key:
		r.dropped++
	default:
		r.skip = false
		r.queue = append(r.queue, p)
		r.bytes += len(p.Data)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// State may be called from any goroutine.
func (r *Recorder) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return State{Dropped: r.dropped, Fault: cmp.Or(r.fault, r.left)}
}

// Run writes until the context ends, then what it holds, and finishes the file.
func (r *Recorder) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			r.drain()
			return r.finish()
		case <-r.wake:
			r.drain()
		}
	}
}

func (r *Recorder) drain() {
	r.mu.Lock()
	queue := r.queue
	r.queue, r.bytes = nil, 0
	r.mu.Unlock()
	for _, p := range queue {
		r.note(r.take(p))
	}
}

// note keeps the newest fault, and loses the file in which it happened.
func (r *Recorder) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
		if r.film != nil {
			r.abandon()
		}
	}
	r.mu.Lock()
	changed := r.fault != text
	if err != nil {
		r.dropped++
	}
	if err != nil || r.film != nil && r.film.begun {
		r.fault = text
	}
	r.mu.Unlock()
	if err != nil && changed {
		r.config.Log.Error("record source", "source", r.config.Source, "err", err)
	}
}

// errFull says that the volume has no room.
var errFull = errors.New("the volume is full: what is reserved is kept free")

// take adds a packet to the present file, or begins another.
func (r *Recorder) take(p *media.Packet) error {
	if r.refused[p.Track.Codec] {
		return nil
	}
	if r.config.Room != nil && !r.config.Room() {
		return errFull
	}
	video := p.Track.Kind == media.Video
	if r.film != nil && r.ends(p) {
		if err := r.finish(); err != nil {
			return err
		}
	}
	if r.film == nil {
		if video && !p.Key {
			return nil
		}
		if err := r.begin(p); err != nil || r.film == nil {
			return err
		}
	}
	return r.append(p)
}

// begin begins a file with a packet, and with what waited for it, which may be
// earlier.
func (r *Recorder) begin(p *media.Packet) error {
	held := r.waiting
	r.waiting = nil
	first := p
	if len(held) > 0 && held[0].DTS < p.DTS {
		first = held[0]
	}
	r.film = newFilm(first)
	if err := r.admit(p); err != nil || r.film == nil {
		return err
	}
	for _, early := range held {
		if err := r.append(early); err != nil {
			return err
		}
	}
	return nil
}

// ends says that the present file ends before a packet: it brings a track that
// the file does not have. Sound that comes with one waits for a key frame.
func (r *Recorder) ends(p *media.Packet) bool {
	if p.Track.Kind == media.Video && p.Key && len(r.waiting) > 0 {
		return true
	}
	if r.film.find(p.Track) != nil {
		return false
	}
	fresh := r.film.begun || r.film.replaces(p.Track)
	return fresh && (p.Track.Kind == media.Video || !r.film.hasVideo())
}

// append adds a packet to the present file.
func (r *Recorder) append(p *media.Packet) error {
	t := r.film.find(p.Track)
	if t == nil && (r.film.begun || r.film.replaces(p.Track)) {
		if len(r.waiting) < waitingUnits {
			r.waiting = append(r.waiting, p)
		}
		return nil
	}
	if t == nil {
		if err := r.admit(p); err != nil || r.film == nil || r.film.find(p.Track) == nil {
			return err
		}
		t = r.film.find(p.Track)
	}
	data, err := r.film.add(t, p)
	if err != nil || len(data) == 0 {
		return err
	}
	return r.write(data)
}

// admit adds a track to a file that has no moov yet. One that no file can hold
// is left out, with its reason in the log.
func (r *Recorder) admit(p *media.Packet) error {
	if p.Track.Kind == media.Video && !p.Key {
		return nil
	}
	err := r.film.admit(p)
	if !errors.Is(err, ErrCodec) {
		return err
	}
	r.refused[p.Track.Codec] = true
	if len(r.film.tracks) == 0 {
		r.film = nil
	}
	r.config.Log.Error("a track of a source is not recorded", "source", r.config.Source, "track", p.Track.ID, "err", err)
	r.mu.Lock()
	r.left = err.Error()
	r.mu.Unlock()
	return nil
}

// write appends to the present file and makes it durable.
func (r *Recorder) write(data []byte) error {
	if r.file == nil {
		r.files++
		file, err := os.OpenFile(r.config.Dir+"/"+NameOf(r.config.Source, r.files), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
		if err != nil {
			return fmt.Errorf("create ISO recording: %w", err)
		}
		r.file = file
		if err := syncDirectory(r.config.Dir); err != nil {
			return fmt.Errorf("create ISO recording: %w", err)
		}
	}
	if _, err := r.file.Write(data); err != nil {
		return fmt.Errorf("write ISO recording: %w", err)
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("write ISO recording: %w", err)
	}
	return nil
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// finish ends the present file, with its length in front and its index behind.
func (r *Recorder) finish() error {
	f := r.film
	if f == nil || len(f.tracks) == 0 {
		return nil
	}
	r.film = nil
	data, err := f.finish()
	if err == nil && f.sequence > 0 {
		err = r.write(data)
	}
	if err == nil && r.file != nil {
		var length []byte
		if length, err = f.duration(); err == nil {
			_, err = r.file.WriteAt(length, f.extends)
		}
	}
	return errors.Join(err, r.closeFile())
}

// abandon lets go of a file as it is.
func (r *Recorder) abandon() {
	r.film = nil
	if err := r.closeFile(); err != nil {
		r.config.Log.Warn("close ISO recording", "source", r.config.Source, "err", err)
	}
}

func (r *Recorder) closeFile() error {
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return errors.Join(file.Sync(), file.Close())
}

// Remove deletes the files of a recording.
func Remove(dir string) error {
	if err := os.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove ISO recording: %w", err)
	}
	return nil
}
