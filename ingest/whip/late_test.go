package whip

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/stretchr/testify/require"

	"millrace/ingest"
	mediatrack "millrace/internal/media"
	"millrace/internal/rtc/rtctest"
)

// A guest who turns on his camera, or his microphone, long after he joined.
func TestTracksMayBeginLate(t *testing.T) {
	for _, camera := range []bool{true, false} {
		p := newPlace(t)
		publisher := newPublisher(t, webrtc.MimeTypeVP8, true, rtctest.Options{})
		rtctest.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey).UntilConnected(t)
		f := p.feed(t)
		late := publisher.video
		if !camera {
			late = publisher.audio
			publisher.audio = nil
		} else {
			publisher.video = nil
		}
		publisher.send(t, vp8Picture, 0, 30, 5*time.Millisecond)
		first := mediatrack.Audio
		if !camera {
			first = mediatrack.Video
		}
		f.until(t, func(units []ingest.AccessUnit) bool {
			return len(of(units, first)) >= 10 && len(of(units, first)) == len(units)
		})
		for n := range 60 {
			data := opusPacket(n)
			length := 20 * time.Millisecond
			if camera {
				data, _ = vp8Picture(n, n%10 == 0)
				length = time.Second / 30
			}
			require.NoError(t, late.WriteSample(media.Sample{Data: data, Duration: length}))
			time.Sleep(5 * time.Millisecond)
		}
		units := f.until(t, func(units []ingest.AccessUnit) bool { return len(units)-len(of(units, first)) >= 20 })
		var newest time.Duration
		for _, u := range of(units, first) {
			newest = max(newest, u.PTS)
		}
		for _, u := range units {
			if u.Track.Kind != first {
				require.InDelta(t, newest.Seconds(), u.PTS.Seconds(), 2, "on the same clock, camera %v", camera)
			}
		}
	}
}
