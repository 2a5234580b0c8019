package engine

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// BenchmarkDemo runs the channel of the first start at real time: four test
// sources of 720p30 in a grid, three rungs, sound. One op is one frame; the
// figure that counts is the processor's.
func BenchmarkDemo(b *testing.B) {
	device, err := gpu.Open("cpu")
	require.NoError(b, err)
	defer device.Close()
	clock := media.StartClock()
	var frames, bytes atomic.Int64
	var last atomic.Pointer[worker.Report]
	e, err := New(Config{
		Show: demoShow(), Device: device, Clock: clock, GOPFrames: 48, Log: slog.New(slog.DiscardHandler),
		Emit: func(rendition int, p *media.Packet) {
			bytes.Add(int64(len(p.Data)))
			if rendition == 0 {
				frames.Add(1)
			}
		},
		Report: func(report worker.Report) { last.Store(&report) },
	})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	first := e.rate.Index(clock.Now()) + 1
	begin := processor()
	b.ResetTimer()
	go func() { done <- e.Run(ctx, first) }()
	for n := int64(0); b.Loop(); n++ {
		_ = clock.SleepUntil(ctx, e.rate.At(first+n+1))
	}
	cancel()
	require.NoError(b, <-done)
	used := processor() - begin
	e.Close()
	require.Zero(b, device.Outstanding())
	b.ReportMetric(float64(used.Milliseconds())/float64(frames.Load()), "cpu-ms/frame")
	b.ReportMetric(100*used.Seconds()/(float64(frames.Load())/30), "%core")
	b.ReportMetric(float64(bytes.Load())*8*30/float64(frames.Load()), "bit/s")
	if report := last.Load(); report != nil {
		b.Logf("late %d, repeated %d, phases %+v", report.Late, report.Repeated, report.Phases)
	}
}

// processor is the time that this process has had of the processor.
func processor() time.Duration {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
