package worker

import (
	"fmt"
	"sync"

	"millrace/internal/media"
)

// witness is a sink that checks the promise packet by packet: every number
// once and in order, exact times, an IDR at every GOP boundary and after
// every splice, and no two neighbouring IDRs with one idr_pic_id.
type witness struct {
	clock *media.Clock
	rate  media.Rate
	gop   int64
	sets  *parameterSets

	returns bool // may begin unannounced

	mu     sync.Mutex
	next   map[string]int64
	last   map[string]*media.Packet
	faults []string
	filler map[string][]int64 // numbers
	got    chan struct{}      // pulsed at each packet
}

func newWitness(clock *media.Clock, rate media.Rate, gop, first int64) *witness {
	sets, err := parseAVCC(avcc(unhex(blackSPS), unhex(blackPPS)))
	if err != nil {
		panic(err)
	}
	return &witness{
		clock: clock, rate: rate, gop: gop, sets: sets,
		next: map[string]int64{"v2": first, "v1": first, "audio": AACGrid.First(rate, first), "opus": OpusGrid.First(rate, first)},
		last: map[string]*media.Packet{}, filler: map[string][]int64{}, got: make(chan struct{}, 1),
	}
}

// expect says with which number a return begins.
func (w *witness) expect(id string, first int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next[id] = first
}

// over says that a return has ended.
func (w *witness) over(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.next, id)
}

func (w *witness) fault(format string, args ...any) {
	if len(w.faults) < 20 {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

func (w *witness) Write(p *media.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := p.Track.ID
	n, known := w.next[id]
	if !known && w.returns {
		n, known = OpusGrid.Number(p.PTS)
		w.next[id] = n
	}
	if !known {
		w.fault("%s: packet at %d of a rendition that is not there", id, p.PTS)
		return
	}
	w.next[id]++
	begin, end := w.rate.At(n), w.rate.At(n+1)
	if p.Track.Kind == media.Audio {
		grid, _ := GridOf(p.Track.Codec)
		begin, end = grid.At(n), grid.At(n+1)
	}
	if p.PTS != begin || p.DTS != begin || p.Duration != end.Sub(begin) {
		w.fault("%s: %d expected, packet at %d, which is %d", id, n, p.PTS, w.rate.Index(p.PTS))
	}
	if len(p.Data) == 0 {
		w.fault("%s: %d is empty", id, n)
	}
	if p.Filler {
		w.filler[id] = append(w.filler[id], n)
		if due := w.clock.Until(begin); due > 0 && !w.spliced(p) {
			w.fault("%s: filler %d comes %v early", id, n, due)
		}
	}
	if p.Track.Kind == media.Video {
		w.picture(id, n, p)
	}
	w.last[id] = p
	select {
	case w.got <- struct{}{}:
	default:
	}
}

// spliced: filler may be ahead of the clock only right before a worker begins,
// which this sink cannot see yet; by two ticks at most.
func (w *witness) spliced(p *media.Packet) bool {
	return w.clock.Until(p.PTS) < 3*w.rate.Interval()
}

func (w *witness) picture(id string, n int64, p *media.Packet) {
	last := w.last[id]
	if n%w.gop == 0 && !p.Key {
		w.fault("%s: frame %d is no IDR", id, n)
	}
	if (last == nil || last.Filler != p.Filler) && !p.Key {
		w.fault("%s: splice at frame %d without an IDR", id, n)
	}
	picID, isIDR := w.sets.idrPicID(p.Data)
	if isIDR != p.Key {
		w.fault("%s: frame %d says key %v", id, n, p.Key)
	}
	if last != nil && last.Key && p.Key {
		if lastID, _ := w.sets.idrPicID(last.Data); lastID == picID {
			w.fault("%s: IDRs %d and %d have one idr_pic_id", id, n-1, n)
		}
	}
}

// state is what was seen: next numbers by rendition, filler, faults.
func (w *witness) state() (next map[string]int64, filler map[string][]int64, faults []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, filler = map[string]int64{}, map[string][]int64{}
	for id, n := range w.next {
		next[id] = n
	}
	for id, numbers := range w.filler {
		filler[id] = append([]int64(nil), numbers...)
	}
	return next, filler, append([]string(nil), w.faults...)
}
