package e2e

import (
	"context"
	"image"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
	"millrace/output/cmaf"
	"millrace/output/origin"
	"millrace/record"
)

// twoEncoders is a channel whose encoder changes at every GOP, as when a card
// is lost and found again: parameter sets of both in one init section, no
// discontinuity. It has no audio.
type twoEncoders struct {
	t         *testing.T
	clock     *media.Clock
	grid      cmaf.Grid
	encoders  [2]gpu.Encoder
	picture   *gpu.Frame
	moving    *pattern.Moving
	rendition *cmaf.Rendition
	track     *media.Track
}

func newTwoEncoders(t *testing.T, device gpu.Device) *twoEncoders {
	rate := media.Rate{Num: 25, Den: 1}
	size := gpu.Size{Width: 640, Height: 360}
	s := &twoEncoders{t: t, clock: media.StartClock(), grid: cmaf.NewGrid(rate), moving: pattern.NewMoving(0, "TWO ENCODERS", rate)}
	for i, preset := range []string{"veryfast", "faster"} {
		encoder, err := device.NewEncoder(gpu.EncoderConfig{
			ID: "v360", Size: size, Rate: rate, Bitrate: 800_000, ParameterSet: i, Preset: preset,
		})
		require.NoError(t, err)
		t.Cleanup(encoder.Close)
		s.encoders[i] = encoder
	}
	config, err := gpu.JoinParameterSets(s.encoders[0].Track(), s.encoders[1].Track())
	require.NoError(t, err)
	track := *s.encoders[0].Track()
	track.Config = config
	s.track = &track
	s.rendition, err = cmaf.NewRendition(s.grid, "v360", s.track, 800_000)
	require.NoError(t, err)
	s.picture, err = device.NewFrame(gpu.Size{Width: pattern.Width, Height: pattern.Height})
	require.NoError(t, err)
	t.Cleanup(s.picture.Release)
	return s
}

// run encodes in real time until the context ends.
func (s *twoEncoders) run(ctx context.Context, store *record.Store, compositor gpu.Compositor) error {
	packager := cmaf.NewPackager([]*cmaf.Rendition{s.rendition}, store.Append)
	drawn := pattern.Picture{Width: pattern.Width, Height: pattern.Height}
	drawn.Y, drawn.YStride = s.picture.Plane(0)
	drawn.U, drawn.CStride = s.picture.Plane(1)
	drawn.V, _ = s.picture.Plane(2)
	s.moving.Begin(drawn)
	for n := s.grid.SegmentStart(s.grid.SegmentAfter(s.clock.Now())); ; n++ {
		if s.clock.SleepUntil(ctx, s.grid.Rate.At(n)) != nil {
			return nil
		}
		s.moving.Draw(drawn, n)
		composition, err := compositor.Compose([]gpu.Layer{{Frame: s.picture, Dst: image.Rect(0, 0, 640, 360), Opacity: 1}}, gpu.Black())
		if err != nil {
			return err
		}
		gop := s.grid.GOPFrames()
		unit, err := s.encoders[n/gop%2].Encode(composition.Rungs[0], n, n%gop == 0)
		composition.Release()
		if err != nil {
			return err
		}
		at := s.grid.Rate.At(n)
		packager.Write(&media.Packet{Track: s.track, PTS: at, DTS: at, Key: unit.Key, Data: unit.Data})
	}
}

// TestPlayersAcrossTwoEncoders proves design §1's fixed init: segments of two
// encoders in turn, with the parameter sets of both in one avcC, play in
// hls.js, Shaka and dash.js without an error or a stall.
func TestPlayersAcrossTwoEncoders(t *testing.T) {
	requireBrowser(t)
	device, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer device.Close()
	channel := newTwoEncoders(t, device)
	compositor, err := device.NewCompositor(gpu.CompositorConfig{Canvas: gpu.Size{Width: 640, Height: 360}, Rungs: []gpu.Size{{Width: 640, Height: 360}}})
	require.NoError(t, err)
	defer compositor.Close()

	store, err := record.Open(record.Config{Dirs: []string{t.TempDir()}, Channel: "two"})
	require.NoError(t, err)
	require.NoError(t, store.SetLayout(record.Layout{Grid: channel.grid, Renditions: []*cmaf.Rendition{channel.rendition}}))
	handler := origin.New(origin.Config{Clock: channel.clock})
	handler.Add("two", origin.Channel{Store: store})
	server := httptest.NewServer(handler)
	defer server.Close()

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- store.Run(ctx) }()
	go func() { ended <- channel.run(ctx, store, compositor) }()
	defer func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		require.NoError(t, store.Close())
	}()
	a := &appliance{t: t, media: strings.TrimPrefix(server.URL, "http://")}
	a.waitOnAir("two", "v360")
	for _, report := range a.play("two", 20, "hls", "shaka", "dash") {
		require.Empty(t, report.Errors, report.Name)
		require.Zero(t, report.Stalls, report.Name)
		require.Greater(t, report.Frames, 20*25*8/10, report.Name)
	}
	status, _, err := get(t.Context(), a.mediaURL("/live/two/v360/"+channel.rendition.InitName))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}
