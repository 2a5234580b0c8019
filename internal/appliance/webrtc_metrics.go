package appliance

import "github.com/prometheus/client_golang/prometheus"

// collectWebRTC reads what guests and viewers share.
func (n *Node) collectWebRTC(to chan<- prometheus.Metric) {
	if n.webrtc == nil {
		return
	}
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue
	out, in, port := n.webrtc.whep.Counters(), n.webrtc.whip.Counters(), n.webrtc.transport.Counters()
	for _, m := range []struct {
		metric
		value float64
	}{
		{newMetric(gauge, "whep_viewers", "WHEP sessions"), float64(out.Viewers)},
		{newMetric(counter, "whep_packets", "RTP packets sent to viewers"), float64(out.Packets)},
		{newMetric(counter, "whep_bytes", "Payload of RTP sent to viewers"), float64(out.Bytes)},
		{newMetric(counter, "whep_repaired_packets", "RTP packets sent again"), float64(out.Repaired)},
		{newMetric(counter, "whep_dropped_frames", "Frames that a slow viewer did not get"), float64(out.Dropped)},
		{newMetric(counter, "whep_switches", "Changes of a viewer's rung"), float64(out.Switches)},
		{newMetric(counter, "whep_keyframe_requests", "Requests for a keyframe by viewers"), float64(out.PLIs)},
		{newMetric(gauge, "whip_publishers", "WHIP sessions"), float64(in.Sessions)},
		{newMetric(counter, "whip_lost_packets", "RTP packets of publishers given up"), float64(in.Lost)},
		{newMetric(counter, "webrtc_sessions", "WebRTC sessions granted"), float64(port.Opened)},
		{newMetric(counter, "webrtc_refused_sessions", "WebRTC sessions refused for want of room"), float64(port.Refused)},
		{newMetric(counter, "webrtc_unconnected_sessions", "WebRTC sessions that never connected"), float64(port.Unconnected)},
	} {
		m.send(to, m.value)
	}
}
