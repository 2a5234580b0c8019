package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// leakChecked runs the tests and fails when one leaves a goroutine.
func leakChecked(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is segment noonSegment of the grid at 30 fps, and then some.
var noon = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

func gridOf(t testing.TB, rate string) cmaf.Grid {
	t.Helper()
	parsed, err := media.ParseRate(rate)
	require.NoError(t, err)
	return cmaf.NewGrid(parsed)
}

// layoutOf has two rungs and one audio rendition. Mark goes into the init sections.
func layoutOf(t testing.TB, mark string) Layout {
	t.Helper()
	grid := gridOf(t, "30")
	l := Layout{Grid: grid}
	for _, id := range []string{"v720", "v240"} {
		l.Renditions = append(l.Renditions, &cmaf.Rendition{
			ID: id, Grid: grid, Codec: "avc1.64001f", Width: 1280, Height: 720, Bandwidth: 3_000_000,
			Track: &media.Track{ID: id, Kind: media.Video, Codec: media.H264, Config: []byte{1, 2}, Width: 1280, Height: 720, Rate: grid.Rate},
			Init:  []byte("init of " + id + mark), InitName: "init-" + id + mark + ".mp4",
		})
	}
	l.Renditions = append(l.Renditions, &cmaf.Rendition{
		ID: "audio", Grid: grid, Codec: "mp4a.40.2", Bandwidth: 140_000, Language: "und", Name: "audio", Group: "audio",
		Track: &media.Track{ID: "audio", Kind: media.Audio, Codec: media.AAC, Config: []byte{3}, SampleRate: 48000, Channels: 2},
		Init:  []byte("init of audio" + mark), InitName: "init-audio" + mark + ".mp4",
	})
	return l
}

// chunkOf is part p of segment k, with bytes that name it.
func chunkOf(r *cmaf.Rendition, k int64, p, size int) *cmaf.Chunk {
	first, next := r.FirstUnit(k, p), r.FirstUnit(k, p+1)
	data := fmt.Appendf(nil, "%s %d.%d ", r.ID, k, p)
	data = append(data, bytes.Repeat([]byte{byte(k), byte(p)}, max(size-len(data), 2)/2)...)
	return &cmaf.Chunk{
		Rendition: r.ID, Segment: k, Part: p, Timescale: r.Timescale(),
		Start: first * r.UnitTicks(), Duration: (next - first) * r.UnitTicks(), Time: r.Time(first * r.UnitTicks()),
		Independent: r.Track.Kind == media.Audio || p%8 == 0, Last: p == r.Grid.Parts()-1, Data: data,
	}
}

// appendPart gives part p of segment k of all renditions to a store.
func appendPart(s *Store, l Layout, k int64, p, size int) {
	for _, r := range l.Renditions {
		s.Append(chunkOf(r, k, p, size))
	}
}

// running is a store whose Run goes on until stop or the end of the test.
type running struct {
	*Store
	stop func()
}

func run(t testing.TB, s *Store) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, s.Close())
	})
	t.Cleanup(stop)
	return running{s, stop}
}

// await waits until part p of segment k is listed in all renditions.
func await(t testing.TB, s *Store, l Layout, k int64, p int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		e := s.Edge()
		if listed(e, l, k, p) {
			return
		}
		select {
		case <-e.Changed:
		case <-timeout:
			require.FailNow(t, "not listed in time", "%d.%d", k, p)
		}
	}
}

func listed(e *Edge, l Layout, k int64, p int) bool {
	for _, r := range l.Renditions {
		listing := e.Listing(r.ID)
		if listing == nil {
			return false
		}
		if segment, part := listing.Newest(); segment < k || segment == k && part < p {
			return false
		}
	}
	return true
}

// bytesOf is what a client would get of a segment.
func bytesOf(t testing.TB, e *Edge, rendition string, k int64) []byte {
	t.Helper()
	g, err := e.Find(rendition, k)
	require.NoError(t, err)
	require.NoError(t, g.Check(0, len(g.Parts())))
	var out bytes.Buffer
	require.NoError(t, g.WriteParts(&out, 0, len(g.Parts())))
	return out.Bytes()
}

func wanted(r *cmaf.Rendition, k int64, parts, size int) []byte {
	var out []byte
	for p := range parts {
		out = append(out, chunkOf(r, k, p, size).Data...)
	}
	return out
}

// ram is a volume in memory that fails on demand and knows what was synced.
type ram struct {
	mu       sync.Mutex
	files    map[string]*ramFile
	capacity int64 // bytes; 0 for no bound
	faults   map[string]error
	once     map[string]error
	stall    chan struct{} // Sync waits until it is closed; nil for no wait
	syncs    int
	written  int64
}

type ramFile struct {
	volume *ram
	data   []byte
	synced []byte
}

func newRAM() *ram {
	return &ram{files: map[string]*ramFile{}, faults: map[string]error{}, once: map[string]error{}}
}

// fail makes an operation ("write", "sync", "create", "read") fail until err is nil.
func (v *ram) fail(operation string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults[operation] = err
}

// failOnce makes the next such operation fail.
func (v *ram) failOnce(operation string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.once[operation] = err
}

// fault is what an operation meets; the lock is held.
func (v *ram) fault(operation string) error {
	if err := v.once[operation]; err != nil {
		delete(v.once, operation)
		return err
	}
	return v.faults[operation]
}

func (v *ram) setStall(stall chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stall = stall
}

func (v *ram) used() (sum int64) {
	for _, f := range v.files {
		sum += int64(len(f.data))
	}
	return sum
}

// crash is the volume after a power cut: what was not synced is gone but for
// the first keep bytes of it. With keep < 0 everything written is there (SIGKILL).
func (v *ram) crash(keep int) *ram {
	v.mu.Lock()
	defer v.mu.Unlock()
	after := newRAM()
	for name, f := range v.files {
		data := bytes.Clone(f.data)
		if keep >= 0 {
			data = data[:min(len(data), len(f.synced)+keep)]
			copy(data, f.synced)
		}
		after.files[name] = &ramFile{volume: after, data: data, synced: bytes.Clone(data)}
	}
	return after
}

func (v *ram) Create(name string) (blockFile, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.fault("create"); err != nil {
		return nil, err
	}
	if v.files[name] != nil {
		return nil, fs.ErrExist
	}
	f := &ramFile{volume: v}
	v.files[name] = f
	return f, nil
}

func (v *ram) Open(name string) (blockFile, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f := v.files[name]; f != nil {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (v *ram) Remove(name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.files, name)
	return nil
}

func (v *ram) Names() ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.files)), nil
}

func (v *ram) Sync() error  { return nil }
func (v *ram) Close() error { return nil }

func (v *ram) Free() (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.capacity == 0 {
		return 1 << 50, nil
	}
	return v.capacity - v.used(), nil
}

func (f *ramFile) ReadAt(p []byte, offset int64) (int, error) {
	f.volume.mu.Lock()
	defer f.volume.mu.Unlock()
	if err := f.volume.fault("read"); err != nil {
		return 0, err
	}
	if offset >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *ramFile) WriteVector(buffers [][]byte, offset int64) error {
	f.volume.mu.Lock()
	defer f.volume.mu.Unlock()
	if err := f.volume.fault("write"); err != nil {
		return err
	}
	for _, b := range buffers {
		grow := offset + int64(len(b)) - int64(len(f.data))
		if c := f.volume.capacity; c > 0 && grow > 0 && f.volume.used()+grow > c {
			fits := max(c-f.volume.used(), 0)
			f.data = append(f.data, b[:min(fits, int64(len(b)))]...)
			return unix.ENOSPC
		}
		if grow > 0 {
			f.data = append(f.data, make([]byte, grow)...)
		}
		f.volume.written += int64(copy(f.data[offset:], b))
		offset += int64(len(b))
	}
	return nil
}

func (f *ramFile) Sync() error {
	f.volume.mu.Lock()
	stall := f.volume.stall
	f.volume.mu.Unlock()
	if stall != nil {
		<-stall
	}
	f.volume.mu.Lock()
	defer f.volume.mu.Unlock()
	if err := f.volume.fault("sync"); err != nil {
		return err
	}
	f.volume.syncs++
	f.synced = bytes.Clone(f.data)
	return nil
}

func (f *ramFile) Truncate(size int64) error {
	f.volume.mu.Lock()
	defer f.volume.mu.Unlock()
	if size > int64(len(f.data)) {
		return errors.New("truncate beyond the end")
	}
	f.data = f.data[:size:size]
	return nil
}

func (f *ramFile) Size() (int64, error) {
	f.volume.mu.Lock()
	defer f.volume.mu.Unlock()
	return int64(len(f.data)), nil
}

func (f *ramFile) Close() error { return nil }
