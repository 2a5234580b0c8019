package whep

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/internal/rtc/rtctest"
)

// BenchmarkFan sends frames of a stream of 4 Mb/s to viewers, 100 a second. The
// viewers are in this process too: what the sending costs is in the profile,
// under (*viewer).send.
func BenchmarkFan(b *testing.B) {
	const viewers = 8
	transport := rtctest.Transport(b, nil)
	server := New(Config{Transport: transport, Clock: media.StartClock()})
	rung := Rung{ID: "v720", Track: videoTrack("v720"), Bitrate: 4_000_000}
	program := server.NewProgram(ProgramConfig{Resource: "main", Rungs: []Rung{rung}})
	rtctest.Run(b, program.Run)
	base := rtctest.Serve(b, server)
	require.Eventually(b, func() bool { return server.program("main") != nil }, rtctest.Wait, time.Millisecond)
	for range viewers {
		rtctest.Connect(b, watch(b, rtctest.Options{}).pc, base, "/whep/main", "").UntilConnected(b)
	}
	joined := func() bool {
		program.mu.Lock()
		defer program.mu.Unlock()
		return len(program.viewers) == viewers
	}
	require.Eventually(b, joined, rtctest.Wait, time.Millisecond)
	data := accessUnit(nal(0x41, rung.Bitrate/8/30))
	b.ResetTimer()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for n := range b.N {
		program.Write(&media.Packet{Track: rung.Track, PTS: rate.At(int64(n)), Key: n == 0, Data: data})
		<-ticker.C
	}
	b.StopTimer()
	b.ReportMetric(float64(server.counters.packets.Load())/float64(b.N)/viewers, "packets/frame")
}
