package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/internal/child"
	"millrace/internal/media"
)

// The test binary is its own worker: the first argument names how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "fake-worker" {
		if err := fakeWorker(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeWorker speaks the protocol and encodes nothing.
func fakeWorker(manner string) error {
	conn, err := child.Inherited()
	if err != nil {
		return err
	}
	message, err := Receive(conn)
	if err != nil {
		return err
	}
	hello := message.(*Hello)
	clock, err := hello.Clock.Clock()
	if err != nil {
		return err
	}
	if manner == "hangs before ready" {
		time.Sleep(time.Hour)
	}
	if manner == "needs the CPU" && hello.Device != CPU {
		return errors.Join(Send(conn, &Fault{Device: hello.Device, Cause: FaultRefused, Error: "no card"}), errors.New("no card"))
	}
	if manner == "dies on a card" && hello.Device != CPU {
		return errors.New("died")
	}
	if !hello.Filler && len(hello.Sets["v1"]) == 0 {
		return errors.New("a later worker must know the init section's parameter sets")
	}
	rate := hello.Show.Canvas.Rate
	ready := &Ready{Renditions: fakeRenditions(rate, hello.GOPFrames), Encoder: EncoderInfo{Device: hello.Device}}
	if !hello.Filler {
		for i := range ready.Renditions {
			ready.Renditions[i].Filler = nil
			if manner == "changes" {
				track := *ready.Renditions[i].Track
				track.Width++
				ready.Renditions[i].Track = &track
			}
		}
	}
	returns := map[string]uint32{}
	for _, source := range hello.Show.Sources {
		if source.Return {
			returns[source.ID] = uint32(len(ready.Renditions))
			ready.Renditions = append(ready.Renditions, fakeReturn(source.ID))
		}
	}
	if err := Send(conn, ready); err != nil {
		return err
	}
	w := &fakeOnAir{conn: conn, clock: clock, rate: rate, gop: hello.GOPFrames, program: hello.Show.Program, manner: manner, device: hello.Device, sources: map[string]SourceReport{},
		returns: returns, streamed: 100}
	return w.serve()
}

type fakeOnAir struct {
	conn    *child.Conn
	clock   *media.Clock
	rate    media.Rate
	gop     int64
	manner  string
	device  string
	streams sync.Map // number to source

	mu       sync.Mutex
	program  string
	frame    int64
	sources  map[string]SourceReport
	encoders *fakeEncoders
	returns  map[string]uint32 // streams by source
	streamed uint32            // number of the next return
}

func (w *fakeOnAir) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		message, err := Receive(w.conn)
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *Start:
			w.begin(m.Frame)
			go func() {
				if err := w.tick(ctx, m.Frame); err != nil {
					fmt.Fprintln(os.Stderr, "tick:", err)
					os.Exit(1)
				}
			}()
		case *Quit:
			return nil
		case *Command:
			if err := w.command(m); err != nil {
				return err
			}
		case *Watch:
			if !m.Meters {
				continue
			}
			if err := Send(w.conn, &Meters{Frame: 1, Sources: map[string]Level{"watched": {}}}); err != nil {
				return err
			}
		case *KeyFrame:
			w.note("key of "+m.Rung, func(r *SourceReport) { r.Frames++ })
		case *Picture:
			w.note("picture "+m.Asset, func(r *SourceReport) {
				r.Frames++
				if r.Width = 0; m.Image != nil {
					r.Width = m.Image.Rect.Dx()
				}
			})
		case *TrackChange:
			w.streams.Store(m.Stream, m.Source)
		case *StreamPacket:
			if source, ok := w.streams.Load(m.Stream); ok {
				w.note(source.(string), func(r *SourceReport) { r.Frames, r.State = r.Frames+1, Live })
			}
			if string(m.Packet.Data) == "poison" {
				os.Exit(7)
			}
		case *Gone:
			w.mu.Lock()
			w.sources[m.Source] = SourceReport{State: Lost}
			w.mu.Unlock()
		}
	}
}

// begin makes the encoders of what ready listed.
func (w *fakeOnAir) begin(start int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frame, w.encoders = start-1, newFakeEncoders(w.rate, w.gop, start)
	for _, stream := range w.returns {
		w.encoders.begin(stream, OpusGrid, start)
	}
}

// note changes what the reports say of a source.
func (w *fakeOnAir) note(source string, change func(*SourceReport)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	report := w.sources[source]
	change(&report)
	w.sources[source] = report
}

// show begins and ends returns with the next tick.
func (w *fakeOnAir) show(show *Show) error {
	for _, source := range show.Sources {
		stream, here := w.returns[source.ID]
		switch {
		case source.Return && !here:
			stream, w.streamed = w.streamed, w.streamed+1
			w.returns[source.ID] = stream
			w.encoders.begin(stream, OpusGrid, w.frame+1)
			begin := &Begin{Stream: stream, First: OpusGrid.First(w.rate, w.frame+1), Rendition: fakeReturn(source.ID)}
			if err := Send(w.conn, begin); err != nil {
				return err
			}
		case !source.Return && here:
			delete(w.returns, source.ID)
			w.encoders.end(stream)
			if err := Send(w.conn, &End{Stream: stream}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *fakeOnAir) command(m *Command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Show != nil {
		if err := w.show(m.Show); err != nil {
			return err
		}
	}
	ack := &Ack{ID: m.ID, Frame: w.frame, Program: w.program}
	switch {
	case w.manner == "is deaf":
		return nil
	case m.Cut != nil && *m.Cut == "nowhere":
		ack.Code, ack.Error = AckUnknown, "no such scene"
	case m.Cut != nil:
		w.program, ack.Program = *m.Cut, *m.Cut
	}
	return Send(w.conn, ack)
}

func (w *fakeOnAir) tick(ctx context.Context, start int64) error {
	for n := start; ; n++ {
		if err := w.clock.SleepUntil(ctx, w.rate.At(n)); err != nil {
			return err
		}
		if w.manner == "skips a frame" && n == start+20 {
			n++
		}
		if w.manner == "loses its card" && w.device != CPU && n > start+10 {
			return Send(w.conn, &Fault{Device: w.device, Cause: FaultLost, Error: "the card is gone"})
		}
		if w.manner == "goes silent" && n > start+10 || w.manner == "goes silent on a card" && w.device != CPU && n > start+10 {
			continue
		}
		w.mu.Lock()
		if err := w.encoders.tick(n, func(p *StreamPacket) error { return Send(w.conn, p) }); err != nil {
			return err
		}
		w.frame = n
		report := &Report{Frame: n, Late: 1, Program: w.program, Sources: w.sources}
		if w.manner == "leaks" {
			report.Outstanding = int(n - start)
		}
		err := Send(w.conn, report)
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
}
