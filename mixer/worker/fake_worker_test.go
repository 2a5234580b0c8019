package worker

import (
	"context"
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
	rate := hello.Show.Canvas.Rate
	ready := &Ready{Renditions: fakeRenditions(rate, hello.GOPFrames), Encoder: EncoderInfo{Device: "fake"}}
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
	if err := Send(conn, ready); err != nil {
		return err
	}
	w := &fakeOnAir{conn: conn, clock: clock, rate: rate, gop: hello.GOPFrames, program: hello.Show.Program, manner: manner, sources: map[string]SourceReport{}}
	return w.serve()
}

type fakeOnAir struct {
	conn    *child.Conn
	clock   *media.Clock
	rate    media.Rate
	gop     int64
	manner  string
	streams sync.Map // number to source

	mu      sync.Mutex
	program string
	frame   int64
	sources map[string]SourceReport
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
		case *TrackChange:
			w.streams.Store(m.Stream, m.Source)
		case *StreamPacket:
			if source, ok := w.streams.Load(m.Stream); ok {
				w.mu.Lock()
				report := w.sources[source.(string)]
				report.Frames++
				report.State = Live
				w.sources[source.(string)] = report
				w.mu.Unlock()
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

func (w *fakeOnAir) command(m *Command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
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
	encoders := newFakeEncoders(w.rate, w.gop, start)
	for n := start; ; n++ {
		if err := w.clock.SleepUntil(ctx, w.rate.At(n)); err != nil {
			return err
		}
		if w.manner == "skips a frame" && n == start+20 {
			n++
		}
		if w.manner == "goes silent" && n > start+10 {
			continue
		}
		if err := encoders.tick(n, func(p *StreamPacket) error { return Send(w.conn, p) }); err != nil {
			return err
		}
		w.mu.Lock()
		w.frame = n
		report := &Report{Frame: n, Late: 1, Program: w.program, Sources: w.sources}
		err := Send(w.conn, report)
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
}
