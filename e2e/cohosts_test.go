package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/stretchr/testify/require"

	"millrace/benchmarks/testmedia"
	"millrace/internal/machinetest"
	"millrace/internal/rtc/rtctest"
)

// TestF47OneOfFourMisbehaves: a guest lags, floods and vanishes; his cell shows
// it, and the three others go on as if nothing were.
func TestF47OneOfFourMisbehaves(t *testing.T) {
	machinetest.InTime(t, standstill, cohosts)
}

func cohosts(t *testing.T) (check func(*testing.T)) {
	clips := []testmedia.Clip{camera(1), camera(2), camera(3)}
	clips[0].Scene, clips[0].Tone, clips[0].Frames, clips[0].Bitrate = testmedia.Sync, 0, 2500, 200_000
	ids := []string{"cam1", "cam2", "cam3", "cam4"}
	a := startAppliance(t)
	keys := map[string]string{}
	for _, id := range ids {
		keys[id] = a.pushSource(id)
	}
	a.makeChannel(ids, v180)
	for i, c := range clips {
		publish(t, a.rtmpURL(keys[ids[i]]), playFile(clip(t, c, ".mp4"))...)
	}
	guest := newGuest(t, clip(t, camera(4), ".mp4"))
	relay := rtctest.NewRelay(t)
	relay.Connect(t, guest.pc, a.mediaURL(""), "/whip/cam4", keys["cam4"]).UntilConnected(t)
	guest.begin()
	a.shows(20*time.Second, "live", ids...)
	video, audio := a.record("main", "v180"), a.record("main", "audio")
	video.waitFor(0)

	begin := a.state().Frame
	waitForFrame(a, begin+rate.Num)
	relay.ShapeUp(rtctest.Path{Delay: 600 * time.Millisecond, Jitter: 300 * time.Millisecond}) // lags
	waitForFrame(a, begin+3*rate.Num)
	guest.speed.Store(20) // floods
	waitForFrame(a, begin+4*rate.Num)
	guest.speed.Store(1)
	waitForFrame(a, begin+6*rate.Num)
	relay.Cut() // vanishes
	vanished := a.state().Frame
	a.shows(8*time.Second, "slate", "cam4")
	slate := a.state().Frame + 2
	waitForFrame(a, slate+rate.Num)
	end := a.state().Frame
	video.waitFor(end / segmentFrames)
	audio.waitFor(end / segmentFrames)
	video.stop()
	audio.stop()
	state := a.state()
	return func(t *testing.T) {
		require.Zero(t, state.Workers.Restarts)
		f, heard := video.film(v180), audio.sound()
		for i, c := range clips {
			checkSpeed(t, f, begin, end, i, c)
		}
		checkLipSync(t, f, begin, end, heard)
		for number := 2; number <= 3; number++ {
			require.InDelta(t, testmedia.ToneLevel, heard.tone(begin, end, cameraTone(number)), testmedia.ToneLevel/4, "camera %d", number)
		}
		number, _ := shown(cell(f.at(begin), 3))
		require.Equal(t, 4, number, "the guest is on screen")
		first := vanished // that shows the slate
		for number != 0 && first < slate {
			first++
			number, _ = shown(cell(f.at(first), 3))
		}
		require.Zero(t, number, "in the end there is the slate")
		_, held := shown(cell(f.at(first-rate.Num), 3))
		_, still := shown(cell(f.at(first-2), 3))
		require.Equal(t, held, still, "before the slate the last picture is held")
	}
}

// cohost publishes a clip's pictures by WHIP.
type cohost struct {
	t     *testing.T
	pc    *webrtc.PeerConnection
	track *webrtc.TrackLocalStaticSample
	units [][]byte
	speed atomic.Int64 // pictures that go at a time
}

func newGuest(t *testing.T, path string) *cohost {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "guest.264")
	remux(t, raw, "-i", path, "-c:v", "copy", "-an", "-bsf:v", "h264_mp4toannexb", "-f", "h264")
	g := &cohost{t: t, pc: rtctest.NewPeer(t, rtctest.Options{}), units: accessUnits(t, raw)}
	g.speed.Store(1)
	var err error
	g.track, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "video", "guest")
	require.NoError(t, err)
	_, err = g.pc.AddTransceiverFromTrack(g.track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)
	return g
}

// accessUnits reads an Annex B file: each slice with what stands before it.
func accessUnits(t *testing.T, path string) (units [][]byte) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	reader, err := h264reader.NewReader(file)
	require.NoError(t, err)
	var open []byte
	for {
		nal, err := reader.NextNAL()
		if errors.Is(err, io.EOF) {
			return units
		}
		require.NoError(t, err)
		open = append(append(open, 0, 0, 0, 1), nal.Data...)
		if nal.UnitType == h264reader.NalUnitTypeCodedSliceIdr || nal.UnitType == h264reader.NalUnitTypeCodedSliceNonIdr {
			units, open = append(units, open), nil
		}
	}
}

// begin sends pictures over and over until the test ends.
func (g *cohost) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	sending.Go(func() {
		ticker := time.NewTicker(time.Second / 25)
		defer ticker.Stop()
		for n := 0; ; {
			for range g.speed.Load() {
				if g.track.WriteSample(media.Sample{Data: g.units[n%len(g.units)], Duration: time.Second / 25}) != nil {
					return
				}
				n++
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
	g.t.Cleanup(func() { cancel(); sending.Wait() })
}
