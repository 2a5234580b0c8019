package appliance

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"millrace/api"
)

// collector reads the node when it is scraped; nothing is counted twice.
// Labels are ids of channels and sources only.
type collector struct{ node *Node }

// metric is one figure of a channel or a source.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newMetric(kind prometheus.ValueType, name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("millrace_"+name, help, labels, nil), kind}
}

func (m metric) send(to chan<- prometheus.Metric, value float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

// catalogue is every metric of the collector.
type catalogue struct {
	channelUp, ticksLate, ticksRepeated, restarts, filler   metric
	storeBytes, storeQueued, storeDegraded, storeDropped    metric
	storeAway                                               metric
	sourceLive, sourceBytes, sourcePackets, sourceDropped   metric
	sourceLateVideo, sourceLateAudio                        metric
	rtmpConnections, rtmpRefused, memoryBytes, clockSeconds metric
	alarms, eventReaders                                    metric
}

func newCatalogue() catalogue {
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue
	return catalogue{
		channelUp:       newMetric(gauge, "channel_running", "1 while the channel is on air from its worker", "channel"),
		ticksLate:       newMetric(counter, "channel_late_ticks", "Ticks completed after the next was due", "channel"),
		ticksRepeated:   newMetric(counter, "channel_repeated_ticks", "Frames encoded again because a rung was behind", "channel"),
		restarts:        newMetric(counter, "channel_worker_restarts", "Workers started again", "channel"),
		filler:          newMetric(counter, "channel_filler_frames", "Frames that stood in for a lost worker", "channel"),
		storeBytes:      newMetric(gauge, "store_bytes", "Bytes of block files", "channel"),
		storeQueued:     newMetric(gauge, "store_queued_bytes", "Bytes waiting for the disk", "channel"),
		storeDegraded:   newMetric(gauge, "store_degraded", "1 while what is listed may not be durable", "channel"),
		storeAway:       newMetric(gauge, "store_volumes_away", "Volumes that cannot be used now", "channel"),
		storeDropped:    newMetric(counter, "store_dropped_segments", "Segments that the disk did not take", "channel"),
		sourceLive:      newMetric(gauge, "source_live", "1 while the source delivers", "source"),
		sourceBytes:     newMetric(counter, "source_bytes", "Payload of the present connection", "source"),
		sourcePackets:   newMetric(counter, "source_packets", "Access units of the present connection", "source"),
		sourceDropped:   newMetric(counter, "source_dropped_packets", "Access units refused on the present connection", "source"),
		sourceLateVideo: newMetric(counter, "source_late_pictures", "Pictures that came after they were due, on the present connection", "source"),
		sourceLateAudio: newMetric(counter, "source_late_sounds", "Access units of sound that came after they were due, on the present connection", "source"),
		rtmpConnections: newMetric(counter, "rtmp_connections", "RTMP connections taken"),
		rtmpRefused:     newMetric(counter, "rtmp_refused_connections", "RTMP publish requests refused"),
		memoryBytes:     newMetric(gauge, "memory_bytes", "Resident memory of all processes of the node"),
		alarms:          newMetric(gauge, "alarms", "Active alarms that are not shelved", "severity"),
		eventReaders:    newMetric(gauge, "event_readers", "Open streams of events"),
		clockSeconds:    newMetric(gauge, "clock_offset_seconds", "The system clock less the timeline"),
	}
}

// Describe implements prometheus.Collector: the metrics are read when scraped.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	m := newCatalogue()
	c.node.collectWebRTC(to)
	for _, p := range c.node.channels.running() {
		c.collectChannel(to, m, p)
	}
	for _, stored := range c.node.ListSources() {
		id := stored.Value.Id
		stats, err := c.node.SourceStats(id)
		if err != nil {
			continue // deleted since it was listed
		}
		m.sourceLive.send(to, oneIf(stats.State == api.SourceStateLive), id)
		m.sourceBytes.send(to, float64(stats.Bytes), id)
		m.sourcePackets.send(to, float64(stats.Packets), id)
		m.sourceDropped.send(to, float64(stats.Dropped), id)
		m.sourceLateVideo.send(to, float64(stats.LateVideo), id)
		m.sourceLateAudio.send(to, float64(stats.LateAudio), id)
	}
	if c.node.rtmp != nil {
		counters := c.node.rtmp.Counters()
		m.rtmpConnections.send(to, float64(counters.Connections))
		m.rtmpRefused.send(to, float64(counters.Refused))
	}
	for _, severity := range []api.AlarmSeverity{api.Warning, api.Critical} {
		m.alarms.send(to, float64(c.node.alarms.active(severity)), string(severity))
	}
	m.eventReaders.send(to, float64(c.node.bus.Readers()))
	c.node.devices.collect(to)
	m.memoryBytes.send(to, float64(treeMemory()))
	m.clockSeconds.send(to, c.node.clockOffset().Seconds())
}

func (c collector) collectChannel(to chan<- prometheus.Metric, m catalogue, run *channel) {
	report, store := run.host.Report(), run.store.State()
	state, _ := run.condition()
	m.channelUp.send(to, oneIf(state == api.ChannelStateStateRunning), run.ID)
	m.ticksLate.send(to, float64(report.Late), run.ID)
	m.ticksRepeated.send(to, float64(report.Repeated), run.ID)
	m.restarts.send(to, float64(run.host.Restarts()), run.ID)
	m.filler.send(to, float64(run.fillerFrames()), run.ID)
	m.storeBytes.send(to, float64(store.DiskBytes), run.ID)
	m.storeQueued.send(to, float64(store.QueuedBytes), run.ID)
	m.storeDegraded.send(to, oneIf(store.Degraded), run.ID)
	m.storeAway.send(to, float64(len(store.Away)), run.ID)
	m.storeDropped.send(to, float64(store.Dropped), run.ID)
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}

// metrics answers GET /metrics.
func (n *Node) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{n}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
