package appliance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"millrace/api"
	"millrace/ingest"
	"millrace/internal/appliance/config"
	"millrace/record"
)

const (
	alarmEvery    = time.Second
	lateWithin    = 10 * time.Second
	restartWithin = 10 * time.Minute
	fillerFor     = 3 * time.Second // a worker may take to come back
)

// watchAlarms looks for what is wrong once a second, until the context ends.
func (n *Node) watchAlarms(ctx context.Context) error {
	ticker := time.NewTicker(alarmEvery)
	defer ticker.Stop()
	past := history{late: series{within: lateWithin}, restarts: series{within: restartWithin}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			n.alarms.observe(ctx, n.troubles(now, &past))
		}
	}
}

// history is what must be compared with a while ago.
type history struct{ late, restarts series }

// series keeps samples of counters, by name, as long as they are compared with.
type series struct {
	within  time.Duration
	samples map[string][]sample
}

type sample struct {
	at    time.Time
	value int64
}

// grown adds a sample of a counter and says by how much it grew, and in what time.
func (s *series) grown(name string, now time.Time, value int64) (by int64, in time.Duration) {
	if s.samples == nil {
		s.samples = map[string][]sample{}
	}
	list := s.samples[name]
	if len(list) > 0 && value < list[len(list)-1].value {
		list = nil // it began again
	}
	list = append(list, sample{now, value})
	for len(list) > 2 && now.Sub(list[1].at) >= s.within {
		list = list[1:]
	}
	s.samples[name] = list
	return value - list[0].value, now.Sub(list[0].at)
}

// troubles is all that is wrong now.
func (n *Node) troubles(now time.Time, past *history) []trouble {
	limits := n.alarms.Thresholds().Value
	var list []trouble
	n.channels.mu.RLock()
	var programs []*program
	for _, p := range n.channels.byID {
		programs = append(programs, p)
	}
	n.channels.mu.RUnlock()
	for _, p := range programs {
		list = append(list, n.channels.troubles(p, limits, now, past)...)
	}
	list = append(list, n.diskTroubles(limits)...)
	list = append(list, n.devices.troubles(limits)...)
	if hottest := temperature(); hottest > limits.TemperatureC {
		list = append(list, trouble{
			code: "temperature", severity: api.Critical, lasting: 10 * time.Second,
			detail: fmt.Sprintf("The machine has %.0f °C, more than %.0f.", hottest, limits.TemperatureC), hint: "Look at fans and air; a hot machine slows down.",
		})
	}
	if offset := n.clockOffset(); offset.Abs() > clockAlarm {
		list = append(list, trouble{
			code: "clock", severity: api.Warning, lasting: 10 * time.Second,
			detail: fmt.Sprintf("The system clock is %v off the timeline.", offset.Round(time.Millisecond)), hint: n.clockHint(),
		})
	}
	return list
}

// troubles is what is wrong with one channel.
func (c *channels) troubles(p *program, limits api.AlarmThresholds, now time.Time, past *history) []trouble {
	c.mu.RLock()
	document, onAir, run, failure := p.stored.Value, p.onAir.Value, p.run, p.failure
	c.mu.RUnlock()
	if document.Stopped {
		return nil
	}
	if run == nil {
		if failure == nil {
			return nil
		}
		return []trouble{{
			code: "channel.failed", channel: document.Id, severity: api.Critical,
			detail: "The channel ended: " + failure.Error(), hint: "It is started again and again; the log says more.",
		}}
	}
	var list []trouble
	add := func(t trouble) {
		t.channel = document.Id
		list = append(list, t)
	}
	if run.host.Filled() != nil && !run.host.OnAir() {
		add(trouble{code: "channel.degraded", severity: api.Critical, lasting: fillerFor, detail: "The channel shows filler: it has no worker.", hint: "The log says why its worker ends."})
	}
	if why := run.fallback.Load(); why != nil {
		add(trouble{code: "encoder.fallback", severity: api.Warning, detail: *why, hint: "See /v1/system/capabilities for what keeps the first encoder from working."})
	}
	if ready := run.worker.Load(); ready != nil {
		for _, rung := range slices.Sorted(maps.Keys(ready.Encoder.Withdrawn)) {
			add(trouble{
				code: "rendition.withdrawn", source: rung, severity: api.Warning, detail: "The rung " + rung + " is not encoded: " + ready.Encoder.Withdrawn[rung] + ".",
				hint: "Only cards encode HEVC and AV1; GET /v1/system/capabilities says what each can do. Players get the other rungs.",
			})
		}
	}
	report := run.host.Report()
	if by, in := past.restarts.grown(document.Id, now, run.host.Restarts()); by >= int64(limits.WorkerRestarts) {
		add(trouble{code: "worker.restarts", severity: api.Warning, detail: fmt.Sprintf("The worker was replaced %d times in %v.", by, in.Round(time.Second)), hint: "The log says why; a source that crashes the decoder can be taken out of the scene."})
	}
	if by, in := past.late.grown(document.Id, now, int64(report.Late)); in > lateWithin/2 {
		share := 100 * float64(by) / max(in.Seconds()*float64(run.Grid.Rate.Num)/float64(run.Grid.Rate.Den), 1)
		if share > limits.LateTicksPercent {
			add(trouble{code: "ticks.late", severity: api.Warning, lasting: 3 * time.Second, detail: fmt.Sprintf("%.1f %% of the last ticks were late.", share), hint: "The machine is too slow for its channels: stop one, or make ladders smaller."})
		}
	}
	list = append(list, storeTroubles(document.Id, run.store.State())...)
	for _, t := range findingTroubles(run, limits, onAir.Black, func(source string) bool { return tally(document, onAir, nil, source) == "program" }, c.clock.Now()) {
		add(t)
	}
	for _, source := range document.Sources {
		if tally(document, onAir, nil, source) != "program" {
			continue
		}
		if feed := c.sources.feed(source); feed != nil {
			if shot := feed.State(); shot.State == ingest.Failed {
				add(trouble{
					code: "source.error", source: source, severity: api.Critical, detail: fmt.Sprintf("The source %q is on program and cannot be played: %v.", source, shot.Reason),
					hint: "Cut to another scene, or give it another asset.",
				})
			} else if c.sources.player(source) == nil && (shot.State == ingest.Lost || shot.State == ingest.Idle) {
				add(trouble{
					code: "source.lost", source: source, severity: api.Critical, lasting: time.Duration(limits.SourceLostMs) * time.Millisecond,
					detail: fmt.Sprintf("The source %q is on program and nothing comes from it.", source), hint: "Cut to another scene, or see to its encoder.",
				})
			}
		}
	}
	return list
}

func storeTroubles(channel string, store record.State) []trouble {
	switch {
	case len(store.Away) > 0:
		return []trouble{{
			code: "disk.away", channel: channel, severity: api.Critical,
			detail: "A volume cannot be used: " + strings.Join(store.Away, ", "), hint: "See to the disk; what it holds is missing until it is back.",
		}}
	case store.Fault != "":
		return []trouble{{
			code: "disk.full", channel: channel, severity: api.Critical,
			detail: "The disk does not take what it is given: " + store.Fault, hint: "Free space, or delete recordings. The live output goes on.",
		}}
	case store.Degraded && time.Since(store.Since) > slowDisk:
		return []trouble{{
			code: "disk.degraded", channel: channel, severity: api.Warning,
			detail: "The disk is too slow; what is listed is not durable yet.", hint: "See what else writes to it.",
		}}
	}
	return nil
}

// diskTroubles is about the volumes of all channels, which fill together.
func (n *Node) diskTroubles(limits api.AlarmThresholds) []trouble {
	free, known := spare(n.config.Storage)
	if !known {
		return nil
	}
	if free == 0 {
		return []trouble{{
			code: "disk.full", severity: api.Critical, lasting: 5 * time.Second,
			detail: "The free space of the disks is used up to the reserve.",
			hint:   "Delete recordings, or add a disk to storage.volumes. DVR windows are cut short meanwhile.",
		}}
	}
	rate := n.channels.recordingBytes()
	if days := float64(free) / float64(max(rate, 1)) / 86400; rate > 0 && days < limits.DiskDays {
		severity := api.Warning
		if days < 1.0/24 {
			severity = api.Critical
		}
		return []trouble{{
			code: "disk.days", severity: severity, lasting: 5 * time.Second,
			detail: fmt.Sprintf("The recordings that run fill the disks in %.1f days.", days), hint: "Stop one, or delete old ones.",
		}}
	}
	return nil
}

// spare is how many bytes may still be written to all volumes together; known is
// false where none of them can be asked.
func spare(storage config.Storage) (bytes int64, known bool) {
	seen := map[uint64]bool{}
	for _, volume := range storage.Volumes {
		var fs unix.Statfs_t
		var stat unix.Stat_t
		if unix.Statfs(volume, &fs) != nil || unix.Stat(volume, &stat) != nil || seen[stat.Dev] {
			continue
		}
		seen[stat.Dev], known = true, true
		bytes += max(0, int64(fs.Bavail)*fs.Bsize-storage.ReserveBytes)
	}
	return bytes, known
}

// recordingBytes is what the channels that are recorded write, in bytes a second.
func (c *channels) recordingBytes() (rate int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, p := range c.byID {
		if p.run == nil || len(c.archive.running(id)) == 0 {
			continue
		}
		rate += int64(p.stored.Value.Audio.Bitrate) / 8
		for _, rung := range p.stored.Value.Ladder {
			rate += int64(rung.Bitrate) / 8
		}
	}
	return rate
}

// temperature is the hottest of the machine's thermal zones in °C; 0 where it
// has none (Linux, Documentation/ABI/testing/sysfs-class-thermal: millidegrees).
func temperature() (hottest float64) {
	zones, err := filepath.Glob("/sys/class/thermal/thermal_zone*/temp")
	if err != nil {
		return 0
	}
	for _, zone := range zones {
		text, err := os.ReadFile(zone)
		if err != nil {
			continue
		}
		if milli, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64); err == nil {
			hottest = max(hottest, milli/1000)
		}
	}
	return hottest
}

// fellBack words why a channel encodes with something else than it began with.
func fellBack(e encoderEvent) *string {
	text := fmt.Sprintf("The channel encodes with %s on %s: %s", e.Codec, e.Device, cmp.Or(e.Reason, "its first encoder is gone"))
	return &text
}
