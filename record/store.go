package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// Config says where a store lies and what it keeps.
type Config struct {
	Dirs    []string // the channel's own folders, one a volume; made if absent
	Channel string   // for logs

	Window       time.Duration // how much is kept; whole blocks beyond it are removed. 0 keeps everything
	MaxBytes     int64         // on disk, whole blocks; 0 for no bound of its own
	ReserveBytes int64         // left free on each volume
	Pins         []Pin         // what is never removed; see Retention

	QueueBytes int64 // waiting for a slow disk; beyond it segments are not stored. Default 64 MiB

	// OnState is told of every change of State.Degraded and State.Fault, from
	// within Run. It must not block.
	OnState func(State)
	Log     *slog.Logger
}

const (
	blockSegments = 64      // segments of one block file
	keepSegments  = 10      // in memory though durable, beside the one in progress
	keepLost      = 30      // in memory when they are not durable
	maxGap        = 100_000 // a longer absence is not listed: older segments go instead

	commitDeadline = 100 * time.Millisecond // design §8
	gatherTime     = 30 * time.Millisecond
	defaultQueue   = 64 << 20
)

// State is how a store is doing.
type State struct {
	Degraded bool      // what is listed may not be durable
	Since    time.Time // of Degraded
	Fault    string    // why the disk does not take what it is given; empty when it does
	Away     []string  // volumes that cannot be used: what they hold is missing

	QueuedBytes int64         // waiting to be written
	DiskBytes   int64         // held by block files
	Commits     uint64        // group commits since the store was opened
	LastCommit  time.Duration // how long the newest took
	Dropped     uint64        // segments not stored, since the store was opened
	Refused     uint64        // chunks that did not follow the one before them
}

// Store holds the chunks of one channel. Append, SetLayout, NextSegment, Retain,
// Edge and State may be called from any goroutine; Run owns the rest.
type Store struct {
	config Config
	log    *slog.Logger
	disks  []*disk
	edge   atomic.Pointer[Edge]
	state  atomic.Pointer[State]

	retention atomic.Pointer[retention]

	mu      sync.Mutex
	layout  *Layout // of chunks that are appended from now on
	stored  *Layout // the newest of earlier runs, until this one has its own
	pending []*item
	damaged []*body
	signal  chan struct{} // something is pending; capacity 1

	running sync.Mutex         // held by Run, and by who works on a store that does not run
	series  map[string]*series // under running
	resume  *recovered         // what a run begins with; under running
}

// item is one thing to be written: a chunk, or a segment that is not held.
type item struct {
	layout    *Layout
	rendition int
	chunk     *cmaf.Chunk // nil for a gap, or for a layout that comes into force
	reset     bool        // the layout does not go with what is stored
	gap       *held
	held      *held

	written extent // set by the writer; block is nil where it was not written
}

func (i *item) segment() int64 {
	if i.gap != nil {
		return i.gap.segment
	}
	return i.chunk.Segment
}

// Open recovers what the folders hold. The store belongs to this process until
// Close; nothing is written before Run but what recovery itself repairs. A
// volume that cannot be opened is away, as long as there is another one.
func Open(config Config) (*Store, error) {
	config = config.withDefaults()
	disks, err := openDisks(config.Dirs, config.Log.With("channel", config.Channel))
	if err != nil {
		return nil, fmt.Errorf("open store of channel %q: %w", config.Channel, err)
	}
	s, err := open(config, disks)
	if err != nil {
		return nil, errors.Join(err, closeDisks(disks))
	}
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.QueueBytes <= 0 {
		c.QueueBytes = defaultQueue
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func open(config Config, disks []*disk) (*Store, error) {
	s := &Store{
		config: config, log: config.Log.With("channel", config.Channel), disks: disks,
		signal: make(chan struct{}, 1), series: map[string]*series{},
	}
	s.retention.Store(newRetention(Retention{
		Window: config.Window, MaxBytes: config.MaxBytes, ReserveBytes: config.ReserveBytes, Pins: config.Pins,
	}))
	r, err := recoverBlocks(disks, s.retention.Load().pins, s.log)
	if err != nil {
		return nil, fmt.Errorf("recover store of channel %q: %w", config.Channel, err)
	}
	s.resume = r
	for _, series := range r.series {
		for g := range series.all {
			if g.body != nil {
				g.body.report = s.report
			}
		}
	}
	s.series, s.stored = r.series, r.layout
	c := &committer{store: s, layout: r.layout, born: r.born, state: State{DiskBytes: r.bytes()}}
	c.publish()
	return s, nil
}

// Close lets go of the folders. Run must have returned.
func (s *Store) Close() error {
	if err := closeDisks(s.disks); err != nil {
		return fmt.Errorf("close store of channel %q: %w", s.config.Channel, err)
	}
	return nil
}

// Edge is what is listed now.
func (s *Store) Edge() *Edge { return s.edge.Load() }

// State is how the store is doing now.
func (s *Store) State() State {
	state := *s.state.Load()
	for _, d := range s.disks {
		if d.lost() {
			state.Away = append(state.Away, d.name)
		}
	}
	return state
}

// SetLayout names the renditions of the chunks that follow. A store of another
// grid begins anew: what it held goes, since numbers and times of segments are
// those of the grid.
func (s *Store) SetLayout(layout Layout) error {
	l := &layout
	if err := l.validate(); err != nil {
		return fmt.Errorf("set layout of channel %q: %w", s.config.Channel, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	older := s.layout
	if older == nil {
		older = s.stored
	}
	i := &item{layout: l, reset: !l.follows(older)}
	if _, err := l.marshal(); err != nil {
		return fmt.Errorf("set layout of channel %q: %w", s.config.Channel, err)
	}
	s.layout = l
	s.pending = append(s.pending, i)
	s.wake()
	return nil
}

// Append takes the next chunk of a rendition of the layout. It never blocks.
// The chunk is listed when its group commit has returned, or after 100 ms. A
// chunk of another rendition is dropped and counted.
func (s *Store) Append(c *cmaf.Chunk) {
	s.mu.Lock()
	i := &item{layout: s.layout, chunk: c, rendition: -1}
	if s.layout != nil {
		if n, ok := s.layout.index(c.Rendition); ok {
			i.rendition = n
		}
	}
	s.pending = append(s.pending, i)
	s.mu.Unlock()
	s.wake()
}

// NextSegment is the first segment of the grid that begins at or after now and
// that no rendition has any part of.
func (s *Store) NextSegment(now media.Time, grid cmaf.Grid) int64 {
	k := grid.SegmentAfter(now)
	if l := s.Edge().Layout; l == nil || l.Grid != grid {
		return k
	}
	for _, l := range s.Edge().listings {
		if newest, _ := l.Newest(); newest >= k {
			k = newest + 1
		}
	}
	return k
}

// ordered are the series of a layout in its order, then the others by name.
func (s *Store) ordered(l *Layout) []*series {
	row := make([]*series, 0, len(s.series))
	if l != nil {
		for _, r := range l.Renditions {
			if series := s.series[r.ID]; series != nil {
				row = append(row, series)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.series)) {
		if !slices.Contains(row, s.series[id]) {
			row = append(row, s.series[id])
		}
	}
	return row
}

func (s *Store) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// take is everything that was appended since the last call.
func (s *Store) take() (items []*item, damaged []*body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items, damaged = s.pending, s.damaged
	s.pending, s.damaged = nil, nil
	return items, damaged
}

// report is told by readers of a body that does not read back as written.
func (s *Store) report(b *body) {
	s.mu.Lock()
	s.damaged = append(s.damaged, b)
	s.mu.Unlock()
	s.wake()
}

// Run writes and lists what is appended, until the context ends; then it
// writes what it holds, seals the block and returns. It may be called again
// after it has returned; between two runs everything stored can be read.
func (s *Store) Run(ctx context.Context) error {
	s.running.Lock()
	defer s.running.Unlock()
	w, c := s.newRun()
	var writing, looking sync.WaitGroup
	writing.Go(func() { w.run(c.queue, c.outcomes) })
	looking.Go(func() { s.awaitMissing(ctx, s.missing(), c.returns) })
	c.run(ctx)
	looking.Wait()
	writing.Wait()
	s.resume = w.leave(c)
	c.rest()
	return nil
}

// newRun makes the parts of a run, which go on where the last one ended.
func (s *Store) newRun() (*writer, *committer) {
	return newWriter(s, s.resume), &committer{
		store: s, layout: s.resume.layout, born: s.resume.born, queue: newQueue(),
		outcomes: make(chan *outcome), returns: make(chan *returned), state: *s.state.Load(), version: s.Edge().Version,
	}
}
