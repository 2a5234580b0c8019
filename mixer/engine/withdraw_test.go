package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// withHEVC is a device that has an encoder of cards; its access units say which.
type withHEVC struct {
	gpu.Device
	config string // of the tracks
}

func (d withHEVC) Info() gpu.Info { return gpu.Info{Name: "cuda:0", Encoder: "h264_nvenc"} }

func (d withHEVC) NewEncoder(config gpu.EncoderConfig) (gpu.Encoder, error) {
	if config.Codec != media.HEVC {
		return d.Device.NewEncoder(config)
	}
	return hevcEncoder{&media.Track{
		ID: config.ID, Kind: media.Video, Codec: media.HEVC, Config: []byte(d.config), Width: config.Size.Width, Height: config.Size.Height, Rate: config.Rate,
	}}, nil
}

type hevcEncoder struct{ track *media.Track }

func (e hevcEncoder) Encode(_ *gpu.Frame, frame int64, key bool) (gpu.AccessUnit, error) {
	return gpu.AccessUnit{Data: []byte("hevc"), Frame: frame, Key: key}, nil
}
func (e hevcEncoder) Name() string        { return "hevc_nvenc" }
func (e hevcEncoder) Track() *media.Track { return e.track }
func (e hevcEncoder) Close()              {}

// severalCodecs is a show whose first rung only cards encode.
func severalCodecs() worker.Show {
	show := testShow("30")
	show.Ladder = append([]worker.Rung{{ID: "h180", Width: 320, Height: 180, Bitrate: 400_000, Codec: media.HEVC}}, show.Ladder...)
	return show
}

func TestRungsThatOnlyCardsEncode(t *testing.T) {
	cpu, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer cpu.Close()
	h264, err := openLadder(cpu, Config{Show: testShow("30"), GOPFrames: 48})
	require.NoError(t, err)
	section := h264.rungs[0].track.Config
	h264.close()
	all := map[string][]byte{"v180": section, "h180": []byte("sets")}
	for _, test := range []struct {
		name       string
		device     gpu.Device
		sets       map[string][]byte
		renditions []string
		encoded    []string
		withdrawn  string
	}{
		{"first worker on a card", withHEVC{cpu, "sets"}, nil, []string{"h180", "v180", "audio", "opus"}, []string{"h180", "v180"}, ""},
		{"first worker on the CPU", cpu, nil, []string{"v180", "audio", "opus"}, []string{"v180"}, "HEVC is encoded by cards only"},
		{"the card is lost", cpu, all, []string{"h180", "v180", "audio", "opus"}, []string{"v180"}, "HEVC is encoded by cards only"},
		{"another card", withHEVC{cpu, "others"}, all, []string{"h180", "v180", "audio", "opus"}, []string{"v180"}, "other parameter sets"},
		{"a card again", withHEVC{cpu, "sets"}, all, []string{"h180", "v180", "audio", "opus"}, []string{"h180", "v180"}, ""},
		{"a card too late", withHEVC{cpu, "sets"}, map[string][]byte{"v180": section}, []string{"v180", "audio", "opus"}, []string{"v180"}, "withdrawn when the channel began"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := openLadder(test.device, Config{Show: severalCodecs(), GOPFrames: 48, Filler: test.sets == nil, Sets: test.sets})
			require.NoError(t, err)
			defer l.close()
			var renditions, encoded []string
			for _, r := range l.ready.Renditions {
				renditions = append(renditions, r.ID)
				require.Equal(t, r.ID, r.Track.ID)
				if test.sets[r.ID] != nil {
					require.Equal(t, test.sets[r.ID], r.Track.Config)
				}
			}
			for _, r := range l.rungs {
				encoded = append(encoded, r.track.ID)
				require.Equal(t, r.track.ID, l.ready.Renditions[r.index].ID)
				if test.sets == nil {
					require.Len(t, l.ready.Renditions[r.index].Filler, 2)
				}
			}
			require.Equal(t, test.renditions, renditions)
			require.Equal(t, test.encoded, encoded)
			if test.withdrawn == "" {
				require.Empty(t, l.ready.Encoder.Withdrawn)
				return
			}
			require.Contains(t, l.ready.Encoder.Withdrawn["h180"], test.withdrawn)
		})
	}
	show := severalCodecs()
	show.Ladder = show.Ladder[:1]
	_, err = openLadder(cpu, Config{Show: show, GOPFrames: 48})
	require.ErrorContains(t, err, "no rung of the ladder can be encoded here")
}

// The renditions that follow a rung that is not there have the numbers that Ready says.
func TestAShowWithoutItsCardsRung(t *testing.T) {
	show := withReturn(severalCodecs(), "a", true)
	s := inStudio(t, show, func(t *testing.T, s *studio) { s.until(s.first + 40) })
	ready := s.engine.Ready()
	require.Len(t, ready.Renditions, 4)
	for i, rendition := range ready.Renditions {
		require.NotEmpty(t, s.packets[i], rendition.ID)
		for _, p := range s.packets[i] {
			require.Equal(t, rendition.ID, p.Track.ID)
		}
	}
	require.Len(t, s.packets, 4)
}
