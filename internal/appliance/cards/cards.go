// Package cards looks at the machine's cards from a process of its own: the calls of
// a broken driver crash or hang there, and never in the server.
package cards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"millrace/gpu"
	"millrace/gpu/monitor"
	"millrace/internal/child"
)

// The kinds of frame on the socket; payloads are JSON.
const (
	kindSurvey byte = 1 // gpu.Survey
	kindSample byte = 2 // monitor.Sample
)

const (
	surveyLimit = 20 * time.Second // NVENC alone takes a second a card
	sampleEvery = time.Second
	silentLimit = 5 * time.Second
)

// Serve is the process's end: one survey, or samples until the server is gone.
// driver is gpu.OpenWith's. Without NVML there are no samples, but for one that says
// so by having no cards.
func Serve(ctx context.Context, conn *child.Conn, driver string, watch bool) error {
	defer func() { _ = conn.Close() }()
	if !watch {
		return send(conn, kindSurvey, gpu.Examine(driver))
	}
	m, err := monitor.Open(nvml.New())
	if errors.Is(err, monitor.ErrNoLibrary) {
		fmt.Fprintln(os.Stderr, "no figures of the cards:", err)
		if err := send(conn, kindSample, monitor.Sample{}); err != nil {
			return err
		}
		_, _, _ = conn.Receive() // until the server closes
		return nil
	}
	if err != nil {
		return err
	}
	defer m.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var reading sync.WaitGroup
	reading.Go(func() { // until the server closes
		_, _, _ = conn.Receive()
		stop()
	})
	err = m.Run(ctx, sampleEvery, func(s monitor.Sample) {
		if send(conn, kindSample, s) != nil {
			stop()
		}
	})
	_ = conn.Close()
	reading.Wait()
	return err
}

func send(conn *child.Conn, kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	return conn.Send(kind, text)
}

// Examine runs the process for one survey. One that crashes or hangs is a machine
// without cards, and the survey says so.
func Examine(ctx context.Context, command child.Command) gpu.Survey {
	survey, err := examine(ctx, command)
	if err != nil {
		return gpu.Survey{Fault: "the driver was tried in a process of its own, which " + err.Error()}
	}
	return survey
}

func examine(ctx context.Context, command child.Command) (survey gpu.Survey, err error) {
	process, conn, err := child.Start(command)
	if err != nil {
		return survey, fmt.Errorf("did not start: %w", err)
	}
	var timedOut atomic.Bool
	timer := time.AfterFunc(surveyLimit, func() { timedOut.Store(true); process.Kill() })
	defer timer.Stop()
	defer context.AfterFunc(ctx, process.Kill)()
	kind, payload, err := conn.Receive()
	process.Kill()
	_ = conn.Close()
	ended := process.Wait()
	switch {
	case timedOut.Load():
		return survey, fmt.Errorf("did not answer within %v", surveyLimit)
	case errors.Is(err, io.EOF):
		return survey, fmt.Errorf("crashed: %w", ended)
	case err != nil:
		return survey, fmt.Errorf("broke off: %w", err)
	case kind != kindSurvey:
		return survey, fmt.Errorf("answered with kind %d", kind)
	}
	if err := json.Unmarshal(payload, &survey); err != nil {
		return survey, fmt.Errorf("answered what is no survey: %w", err)
	}
	return survey, nil
}

// Watch keeps the newest sample of the cards.
type Watch struct {
	Command child.Command
	Sampled func(monitor.Sample) // gets each; from one goroutine
	Log     *slog.Logger
}

// Run keeps the process going until the context ends, and ends one that is silent.
func (w *Watch) Run(ctx context.Context) error {
	supervisor := &child.Supervisor{Command: w.Command, Serve: w.serve, Grace: time.Second, Log: w.Log}
	return supervisor.Run(ctx)
}

func (w *Watch) serve(ctx context.Context, process *child.Process, conn *child.Conn) error {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var silent atomic.Bool
	timer := time.AfterFunc(silentLimit, func() { silent.Store(true); process.Kill() })
	defer timer.Stop()
	for {
		kind, payload, err := conn.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case silent.Load():
			return fmt.Errorf("the cards' process was silent for %v", silentLimit)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		var sample monitor.Sample
		if kind != kindSample || json.Unmarshal(payload, &sample) != nil {
			return fmt.Errorf("the cards' process sent kind %d, which is no sample", kind)
		}
		if len(sample.Cards) == 0 { // nor will there be any
			timer.Stop()
		} else {
			timer.Reset(silentLimit)
		}
		w.Sampled(sample)
	}
}
