package engine

import (
	"context"
	"image"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/engine/pattern"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// noon is when the channels of these tests begin.
var noon = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

// studio runs an engine in a bubble of fake time, so that a test's minutes
// pass as fast as the encoders can work, and keeps what comes out.
type studio struct {
	t      *testing.T
	device gpu.Device
	clock  *media.Clock
	engine *Engine
	rate   media.Rate
	first  int64
	cancel context.CancelFunc
	done   chan error

	mu        sync.Mutex
	packets   map[int][]*media.Packet // by rendition
	reports   []worker.Report
	announced []worker.Message
	meters    []worker.Meters
	views     []*media.Packet
	findings  []worker.Finding
}

// testShow has test sources one to four in a small grid, and a solo scene each.
func testShow(rate string) worker.Show {
	show := worker.Show{
		Channel: "demo", Canvas: worker.Canvas{Width: 320, Height: 180}, Program: "grid",
		Ladder:  []worker.Rung{{ID: "v180", Width: 320, Height: 180, Bitrate: 800_000, Codec: media.H264}},
		AudioID: "audio", AudioBitrate: 128_000,
	}
	show.Canvas.Rate, _ = media.ParseRate(rate)
	grid := scene.Scene{ID: "grid", Layout: "grid-4"}
	for i, tone := range []int{440, 554, 659, 880} {
		id := string(rune('a' + i))
		show.Sources = append(show.Sources, worker.Source{
			ID: id, Name: "Test " + id, Kind: worker.Test, HoldMs: 2000, Test: &worker.TestPattern{Pattern: i, ToneHz: tone},
		})
		grid.Slots = append(grid.Slots, id)
		show.Scenes = append(show.Scenes, scene.Scene{ID: "only-" + id, Layout: "solo", Slots: []string{id}})
	}
	show.Scenes = append(show.Scenes, grid)
	return show
}

// withSource adds a push source and a solo scene of it, on program.
func withSource(show worker.Show, id string) worker.Show {
	show.Sources = append(show.Sources, worker.Source{ID: id, Name: "Camera", Kind: worker.Push, HoldMs: 2000})
	show.Scenes = append(show.Scenes, scene.Scene{ID: "only-" + id, Layout: "solo", Slots: []string{id}})
	show.Program = "only-" + id
	return show
}

// inStudio runs test beside an engine with a show, and checks that nothing is
// left of it.
func inStudio(t *testing.T, show worker.Show, test func(t *testing.T, s *studio)) *studio {
	return inStudioFrom(t, show, 3, test)
}

// inStudioFrom begins with the frame that is due so many frames after noon.
func inStudioFrom(t *testing.T, show worker.Show, offset int64, test func(t *testing.T, s *studio)) *studio {
	s := &studio{t: t, rate: show.Canvas.Rate, packets: map[int][]*media.Packet{}, done: make(chan error, 1)}
	synctest.Test(t, func(t *testing.T) {
		s.t = t
		s.device = openDevice(t)
		s.clock = media.NewClock(noon, time.Now())
		var err error
		s.engine, err = New(Config{
			Show: show, Device: s.device, Clock: s.clock, GOPFrames: gopOf(s.rate),
			Emit: s.emit, Report: s.report, Announce: s.announce, Meters: s.meter, Found: s.found, Multiview: s.view, Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		s.cancel = cancel
		s.first = s.rate.Index(noon) + offset
		go func() { s.done <- s.engine.Run(ctx, s.first) }()
		test(t, s)
		cancel()
		require.NoError(t, <-s.done)
		s.engine.Close()
		require.Zero(t, s.device.Outstanding())
		s.device.Close()
	})
	return s
}

func gopOf(rate media.Rate) int64 { return 8 * ((rate.Num + 5*rate.Den/2) / (5 * rate.Den)) }

func (s *studio) emit(rendition int, p *media.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packets[rendition] = append(s.packets[rendition], p)
}

func (s *studio) report(r worker.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r)
}

func (s *studio) view(p *media.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views = append(s.views, p)
}

func (s *studio) meter(m worker.Meters) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meters = append(s.meters, m)
}

func (s *studio) found(f worker.Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findings = append(s.findings, f)
}

func (s *studio) announce(m worker.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announced = append(s.announced, m)
}

// until sleeps to the moment before frame n is due.
func (s *studio) until(n int64) {
	require.NoError(s.t, s.clock.SleepUntil(s.t.Context(), s.rate.At(n)-1))
	synctest.Wait()
}

// do executes a command and waits for its answer.
func (s *studio) do(command worker.Command) worker.Ack {
	acks := make(chan worker.Ack, 1)
	s.engine.Do(command, func(ack worker.Ack) { acks <- ack })
	return <-acks
}

// latest is the newest report on a source.
func (s *studio) latest(id string) worker.SourceReport {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reports[len(s.reports)-1].Sources[id]
}

// seen is a decoded output picture.
type seen struct {
	frame   int64
	picture pattern.Picture
}

// watch decodes a rendition and checks its numbering: every frame once, in
// order, an IDR first and at each GOP boundary.
func (s *studio) watch(t *testing.T, rendition int) []seen {
	for i, p := range s.packets[rendition] {
		n := s.first + int64(i)
		require.Equal(t, s.rate.At(n), p.PTS)
		require.Equal(t, p.PTS, p.DTS)
		require.Equal(t, i == 0 || n%gopOf(s.rate) == 0, p.Key, "frame %d", n)
	}
	return s.decode(t, s.packets[rendition])
}

// decode gives every picture of a rung's packets.
func (s *studio) decode(t *testing.T, packets []*media.Packet) []seen {
	device, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer device.Close()
	require.NotEmpty(t, packets)
	decoder, err := device.NewDecoder(packets[0].Track)
	require.NoError(t, err)
	defer decoder.Close()
	var pictures []seen
	show := func(f *gpu.Frame) {
		pictures = append(pictures, seen{s.rate.Index(f.PTS), clone(f)})
		f.Release()
	}
	for _, p := range packets {
		require.NoError(t, decoder.Decode(p, show))
	}
	decoder.Drain(show)
	require.Len(t, pictures, len(packets))
	require.Zero(t, device.Outstanding())
	return pictures
}

// clone is a frame's picture in memory of its own.
func clone(f *gpu.Frame) pattern.Picture {
	from, to := planes(f), pattern.NewPicture(f.Size.Width, f.Size.Height)
	to.Copy(image.Rect(0, 0, to.Width, to.Height), from, image.Point{})
	return to
}

// listen decodes a rendition of sound into a ring and gives its first sample.
func (s *studio) listen(t *testing.T, rendition int) (*audio.Ring, int64) {
	return listen(t, s.packets[rendition], func(grid worker.AudioGrid) int64 { return grid.First(s.rate, s.first) })
}

// listen decodes packets that must begin with an access unit and miss none.
func listen(t *testing.T, packets []*media.Packet, begin func(worker.AudioGrid) int64) (*audio.Ring, int64) {
	require.NotEmpty(t, packets)
	grid, ok := worker.GridOf(packets[0].Track.Codec)
	require.True(t, ok)
	ring := audio.NewRing(len(packets)*int(grid) + audio.Hz)
	feed := audio.NewFeed(ring)
	defer feed.Close()
	first := begin(grid)
	for i, p := range packets {
		require.Equal(t, grid.At(first+int64(i)), p.PTS)
		require.NoError(t, feed.Write(p))
	}
	return ring, first * int64(grid)
}
