package appliance

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/api"
)

// What of the past the node keeps in memory; Prometheus keeps more.
const (
	figuresEvery = 10 * time.Second
	figuresKept  = 360 // an hour
)

// figureLog is the newest figures, oldest first.
type figureLog struct {
	mu   sync.Mutex
	list []api.Figures
}

func (l *figureLog) add(f api.Figures) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == figuresKept {
		l.list = append(l.list[:0:0], l.list[1:]...) // readers keep the old one
	}
	l.list = append(l.list, f)
}

func (l *figureLog) since(t time.Time) []api.Figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := len(l.list)
	for first > 0 && l.list[first-1].Time.After(t) {
		first--
	}
	return append([]api.Figures{}, l.list[first:]...)
}

// keepFigures writes down how the node does, until the context ends.
func (n *Node) keepFigures(ctx context.Context) error {
	ticker := time.NewTicker(figuresEvery)
	defer ticker.Stop()
	before := machineCounters(time.Now())
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			counters := machineCounters(now)
			figures := counters.since(before)
			before = counters
			figures.Time = api.Timestamp{Time: n.timelineNow()}
			figures.MemoryBytes = treeMemory()
			figures.FreeBytes, _ = spare(n.config.Storage)
			figures.Channels = n.channels.figures()
			n.figures.add(figures)
		}
	}
}

// figures is how each channel that runs does.
func (c *channels) figures() map[string]api.ChannelFigures {
	all := map[string]api.ChannelFigures{}
	for _, run := range c.running() {
		report, latency := run.host.Report(), run.latency()
		figures := api.ChannelFigures{
			Late: int64(report.Late), Repeated: int64(report.Repeated),
			ComposedMs: latency.Composed.P95, ListedMs: latency.Listed.P95,
		}
		for _, rung := range latency.Encoded {
			figures.EncodedMs = max(figures.EncodedMs, rung.P95)
		}
		all[run.ID] = figures
	}
	return all
}

// storageState is how much the volumes still take; nil where none can be asked.
func (n *Node) storageState() *api.StorageState {
	free, known := spare(n.config.Storage)
	if !known {
		return nil
	}
	s := &api.StorageState{FreeBytes: free, BytesPerSecond: n.channels.recordingBytes()}
	if s.BytesPerSecond > 0 {
		days := float64(free) / float64(s.BytesPerSecond) / 86400
		s.DaysLeft = &days
	}
	return s
}

// machine is what the kernel has counted since it started.
type machine struct {
	at             time.Time
	busy, idle     uint64 // of all CPUs, in clock ticks
	received, sent uint64 // bytes
}

// since is what a machine did between two readings. A counter that began again
// counts as 0.
func (m machine) since(before machine) api.Figures {
	grown := func(now, then uint64) float64 { return float64(max(now, then) - then) }
	busy, idle, seconds := grown(m.busy, before.busy), grown(m.idle, before.idle), max(m.at.Sub(before.at).Seconds(), 1e-3)
	return api.Figures{
		Cpu:      busy / max(busy+idle, 1),
		Received: int64(grown(m.received, before.received) * 8 / seconds), Sent: int64(grown(m.sent, before.sent) * 8 / seconds),
	}
}

// machineCounters reads /proc (proc(5)); what cannot be read stays 0.
func machineCounters(now time.Time) machine {
	m := machine{at: now}
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		m.busy, m.idle = processorTicks(string(text))
	}
	if text, err := os.ReadFile("/proc/net/dev"); err == nil {
		m.received, m.sent = networkBytes(string(text))
	}
	return m
}

// processorTicks reads the line of all CPUs: user, nice, system, idle, iowait,
// irq, softirq, steal. Guests are in user already.
func processorTicks(stat string) (busy, idle uint64) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 || fields[0] != "cpu" {
		return 0, 0
	}
	for i, field := range fields[1:min(len(fields), 9)] {
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0
		}
		if i == 3 || i == 4 {
			idle += ticks
		} else {
			busy += ticks
		}
	}
	return busy, idle
}

// networkBytes adds up the interfaces but the loopback: the first figure behind
// the name is what was received, the ninth what was sent.
func networkBytes(dev string) (received, sent uint64) {
	for line := range strings.Lines(dev) {
		name, counters, found := strings.Cut(line, ":")
		fields := strings.Fields(counters)
		if !found || strings.TrimSpace(name) == "lo" || len(fields) < 9 {
			continue
		}
		in, errIn := strconv.ParseUint(fields[0], 10, 64)
		out, errOut := strconv.ParseUint(fields[8], 10, 64)
		if errIn == nil && errOut == nil {
			received, sent = received+in, sent+out
		}
	}
	return received, sent
}
