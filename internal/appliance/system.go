package appliance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"millrace/api"
	"millrace/internal/media"
	"millrace/mixer/scene"
)

func (n *Node) system() api.System {
	s := api.System{
		Node: n.config.Node.Name, Version: n.options.Version,
		StartedAt: api.Timestamp{Time: n.startedAt}, Time: api.Timestamp{Time: n.clock.Now().UTC()},
		ClockOffsetMs: float64(n.clockOffset()) / float64(time.Millisecond),
		Cpus:          runtime.NumCPU(), MemoryBytes: treeMemory(),
		Devices: n.devices.list(), Sandbox: n.channels.sandbox(),
		Listeners: map[string]string{
			"control": n.listeners.control.Addr().String(), "media": n.listeners.media.Addr().String(), "srt": n.listeners.srt,
		},
	}
	s.MediaUrl = n.mediaURL()
	s.Storage = n.storageState()
	if n.listeners.rtmp != nil {
		s.Listeners["rtmp"] = n.listeners.rtmp.Addr().String()
	}
	s.Capacity.Channels, s.Capacity.Running = n.channels.count()
	return s
}

// mediaURL is the media listener's, without a path.
func (n *Node) mediaURL() string {
	return n.config.Media.Scheme() + "://" + shown(n.listeners.media.Addr().String())
}

func (n *Node) capabilities() api.Capabilities {
	return api.Capabilities{
		Encoders: n.devices.encoders(), Devices: n.devices.list(), Layouts: scene.Layouts(),
		Ingest: n.ingestProtocols(),
		NotYet: []string{"source recordings", "overlays", "transitions", "destinations", "cluster"},
	}
}

// ingestProtocols are those that are switched on.
func (n *Node) ingestProtocols() []string {
	protocols := []string{}
	if n.listeners.rtmp != nil {
		protocols = append(protocols, "rtmp")
	}
	if n.listeners.srt != "" {
		protocols = append(protocols, "srt")
	}
	if n.listeners.webrtc != nil {
		protocols = append(protocols, "whip")
	}
	return protocols
}

// clockOffset is how far the system's clock is ahead of the timeline.
func (n *Node) clockOffset() time.Duration {
	return media.TimeOf(time.Now()).Sub(n.clock.Now())
}

// How the clock is watched: an offset above clockAlarm is an alarm.
const (
	clockAlarm = 50 * time.Millisecond
	clockEvery = 10 * time.Second
)

// watchClock logs when the system's clock and the timeline part, and when they
// meet again. The timeline does not follow: it never steps.
func (n *Node) watchClock(ctx context.Context) error {
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	alarmed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		offset := n.clockOffset()
		switch apart := offset.Abs() > clockAlarm; {
		case apart && !alarmed:
			n.log.Warn("the system clock has left the timeline; the timeline goes on", "offset", offset)
			alarmed = true
		case !apart && alarmed:
			n.log.Info("the system clock is back on the timeline", "offset", offset)
			alarmed = false
		}
	}
}

// treeMemory is the memory that this process and its children hold, in bytes.
// What they share, the one program and its libraries, counts once.
func treeMemory() int64 {
	total, shared := residentMemory("self")
	threads, err := filepath.Glob("/proc/self/task/*/children") // each thread has its own (proc(5))
	if err != nil {
		return total + shared
	}
	for _, thread := range threads {
		pids, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		for _, pid := range strings.Fields(string(pids)) {
			own, same := residentMemory(pid)
			total, shared = total+own, max(shared, same)
		}
	}
	return total + shared
}

// residentMemory reads /proc/PID/statm (proc(5)): the second figure is resident
// pages, the third those of them that are of files or shared.
func residentMemory(pid string) (own, shared int64) {
	text, err := os.ReadFile("/proc/" + pid + "/statm")
	if err != nil {
		return 0, 0
	}
	var size, resident, same int64
	if _, err := fmt.Sscan(string(text), &size, &resident, &same); err != nil {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	return (resident - same) * page, same * page
}
