package cards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/gpu"
	"millrace/gpu/monitor"
	"millrace/internal/child"
)

// The test binary is the cards' process too: the first argument says how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "card" {
		if err := card(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func card(manner string) error {
	conn, err := child.Inherited()
	if err != nil {
		return err
	}
	sample, err := json.Marshal(monitor.Sample{Driver: "550", Cards: []monitor.Card{{Bus: "0000:01:00.0", Temperature: 50}}})
	if err != nil {
		return err
	}
	switch manner {
	case "no driver":
		return Serve(context.Background(), conn, "no-such-library.so", false)
	case "another survey":
		return conn.Send(kindSample, sample)
	case "no survey":
		return conn.Send(kindSurvey, []byte("{"))
	case "one sample": // then it dies
		return conn.Send(kindSample, sample)
	case "no NVML":
		return Serve(context.Background(), conn, "", true)
	case "samples":
		for conn.Send(kindSample, sample) == nil {
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	return conn.Send(9, nil)
}

func command(manner string) child.Command {
	return child.Command{Args: []string{"card", manner}, Stderr: func(string) {}}
}

func TestExamine(t *testing.T) {
	for manner, want := range map[string]string{
		"no driver":      "no CUDA driver: no-such-library.so",
		"another survey": "answered with kind 2",
		"no survey":      "answered what is no survey",
	} {
		require.Contains(t, Examine(t.Context(), command(manner)).Fault, want, manner)
	}
	require.Equal(t, gpu.Survey{Fault: "the driver was tried in a process of its own, which crashed: exit status 1"},
		Examine(t.Context(), child.Command{Path: "/bin/false", Stderr: func(string) {}}))
}

// Samples go on whatever becomes of the process, and end with the context.
func TestWatch(t *testing.T) {
	for manner, wanted := range map[string]int64{"samples": 20, "one sample": 2, "garbage": 0} {
		t.Run(manner, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var got atomic.Int64
			w := &Watch{Command: command(manner), Log: slog.New(slog.DiscardHandler), Sampled: func(s monitor.Sample) {
				if s.Cards[0].Temperature == 50 && got.Add(1) == wanted {
					stop()
				}
			}}
			if wanted == 0 {
				time.AfterFunc(200*time.Millisecond, stop)
			}
			require.NoError(t, w.Run(ctx))
			require.GreaterOrEqual(t, got.Load(), wanted)
		})
	}
}

// Where NVML is not, the process says so once and is left alone.
func TestWatchWithoutNVML(t *testing.T) {
	if _, err := monitor.Open(nvml.New()); !errors.Is(err, monitor.ErrNoLibrary) {
		t.Skip("this machine has NVML")
	}
	ctx, stop := context.WithCancel(t.Context())
	w := &Watch{Command: command("no NVML"), Log: slog.New(slog.DiscardHandler), Sampled: func(s monitor.Sample) {
		require.Empty(t, s.Cards)
		stop()
	}}
	require.NoError(t, w.Run(ctx))
}
