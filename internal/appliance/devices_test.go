package appliance

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/gpu/monitor"
	"millrace/internal/appliance/cards"
	"millrace/internal/appliance/config"
	"millrace/internal/child"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// cardOf is a card that composes, with or without NVENC.
func cardOf(name, bus string, nvenc bool) gpu.Card {
	return gpu.Card{
		Name: name, Model: "L4", Bus: bus, Memory: 24 << 30,
		Encoders: []gpu.Ability{{Codec: "h264_nvenc", Usable: nvenc, Reason: map[bool]string{false: "the card has no NVENC"}[nvenc]}},
		Decoders: []gpu.Ability{{Codec: "h264_nvdec", Usable: true}},
	}
}

func newTestDevices(t *testing.T, cfg config.GPU, survey gpu.Survey) (*devices, error) {
	d := &devices{
		config: cfg, log: slog.New(slog.DiscardHandler), now: time.Now,
		resting: map[string]time.Time{}, why: map[string]string{}, warned: map[string]string{},
	}
	return d, d.take(survey)
}

func showOn(channel string) worker.Show {
	return worker.Show{
		Channel: channel, Canvas: worker.Canvas{Width: 1280, Height: 720, Rate: media.Rate{Num: 30, Den: 1}},
		Sources: []worker.Source{{ID: "cam1", Kind: worker.Push}},
		Ladder:  []worker.Rung{{ID: "v720", Width: 1280, Height: 720, Bitrate: 2_000_000}},
	}
}

func TestDevicePolicy(t *testing.T) {
	two := gpu.Survey{Cards: []gpu.Card{cardOf("cuda:0", "0000:01:00.0", true), cardOf("cuda:1", "0000:02:00.0", true)}}
	broken := gpu.Survey{Cards: []gpu.Card{{Name: "cuda:0", Fault: "use L4: prove the kernel: plane 0 is wrong"}}}
	none := gpu.Survey{Fault: "no CUDA device: no NVIDIA driver is loaded"}
	for _, test := range []struct {
		name     string
		config   config.GPU
		survey   gpu.Survey
		place    string
		reason   string // why it is not on a card
		refusing string // why the node does not start
	}{
		{"a card", config.GPU{Policy: "prefer"}, two, "cuda:0", "", ""},
		{"none", config.GPU{Policy: "prefer"}, none, "cpu", "no NVIDIA driver is loaded", ""},
		{"never", config.GPU{Policy: "never"}, gpu.Survey{Fault: "gpu.policy is never"}, "cpu", "gpu.policy is never", ""},
		{"the second", config.GPU{Policy: "prefer", Devices: []string{"cuda:1"}}, two, "cuda:1", "", ""},
		{"one that is not there", config.GPU{Policy: "prefer", Devices: []string{"cuda:7"}}, two, "cpu", "gpu.devices lists cuda:7, which is not there", ""},
		{"broken", config.GPU{Policy: "prefer"}, broken, "cpu", "cuda:0: use L4: prove the kernel", ""},
		{"required", config.GPU{Policy: "require"}, two, "cuda:0", "", ""},
		{"required, none", config.GPU{Policy: "require"}, none, "", "", "no NVIDIA driver is loaded"},
		{"required, broken", config.GPU{Policy: "require"}, broken, "", "", "prove the kernel"},
		{"required, another", config.GPU{Policy: "require", Devices: []string{"cuda:7"}}, two, "", "", "cuda:0: gpu.devices does not list it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := newTestDevices(t, test.config, test.survey)
			if test.refusing != "" {
				require.ErrorContains(t, err, "gpu.policy is require, and no card can be used")
				require.ErrorContains(t, err, test.refusing)
				return
			}
			require.NoError(t, err)
			require.NoError(t, d.ask(showOn("main")))
			require.NoError(t, d.admit(showOn("main")))
			require.Equal(t, test.place, d.place(showOn("main")).Device)
			if test.reason == "" {
				require.Empty(t, d.reason("main"))
			} else {
				require.Contains(t, d.reason("main"), test.reason)
			}
			require.NotEmpty(t, d.announce())
			require.Equal(t, "cpu", d.list()[0].Name)
			require.Len(t, d.list(), 1+len(test.survey.Cards))
		})
	}
}

// A card that fails hands its channel to the next, then to the CPU, whatever the
// policy; after a rest it is tried again.
func TestDevicesThatFail(t *testing.T) {
	for _, policy := range []string{"prefer", "require"} {
		d, err := newTestDevices(t, config.GPU{Policy: policy},
			gpu.Survey{Cards: []gpu.Card{cardOf("cuda:0", "0000:01:00.0", true), cardOf("cuda:1", "0000:02:00.0", true)}})
		require.NoError(t, err)
		now := time.Now()
		d.now = func() time.Time { return now }
		require.NoError(t, d.admit(showOn("main")))
		require.Equal(t, "cuda:0", d.place(showOn("main")).Device)
		for _, next := range []string{"cuda:1", "cpu"} {
			d.failed("main", worker.Fault{Device: d.place(showOn("main")).Device, Cause: worker.FaultLost, Error: "it is gone"})
			require.Equal(t, next, d.place(showOn("main")).Device)
		}
		require.Contains(t, d.reason("main"), `cuda:1: it failed channel "main" at`)
		require.Contains(t, d.reason("main"), "(lost): it is gone")
		require.Contains(t, d.list()[1].Reason, "it is gone")
		require.False(t, d.list()[1].Usable)
		if err := d.ask(showOn("other")); policy == "require" {
			require.ErrorContains(t, err, "it is gone", "refused before it is on air")
		} else {
			require.NoError(t, err)
		}
		now = now.Add(rest + time.Second)
		require.Equal(t, "cuda:0", d.place(showOn("main")).Device)
		require.Empty(t, d.reason("main"))
		d.release("main")
		for _, load := range d.account.Loads() {
			require.Empty(t, load.Channels)
		}
	}
}

// A rung that only cards encode is refused where none does; on air it is given up, and
// the others go where there is place.
func TestRungsThatOnlyCardsEncode(t *testing.T) {
	able := cardOf("cuda:0", "0000:01:00.0", true)
	able.Encoders = append(able.Encoders, gpu.Ability{Codec: "hevc_nvenc", Usable: true}, gpu.Ability{Codec: "av1_nvenc", Reason: "the card's NVENC does not encode this codec"})
	show := showOn("main")
	show.Ladder = append(show.Ladder, worker.Rung{ID: "h720", Width: 1280, Height: 720, Bitrate: 1_500_000, Codec: media.HEVC})
	d, err := newTestDevices(t, config.GPU{Policy: "prefer"}, gpu.Survey{Cards: []gpu.Card{able, cardOf("cuda:1", "0000:02:00.0", true)}})
	require.NoError(t, err)
	require.NoError(t, d.ask(show))
	require.Equal(t, "cuda:0", d.place(show).Device)
	d.failed("main", worker.Fault{Device: "cuda:0", Cause: worker.FaultLost, Error: "it is gone"})
	require.Equal(t, "cuda:1", d.place(show).Device, "without the rung")
	d.failed("main", worker.Fault{Device: "cuda:1", Cause: worker.FaultLost, Error: "it is gone"})
	require.Equal(t, "cpu", d.place(show).Device)
	require.ErrorContains(t, d.ask(show), "only cards encode HEVC and AV1, which h720 asks for: cuda:0: it failed channel")

	show.Ladder[1].Codec = media.AV1
	one, err := newTestDevices(t, config.GPU{Policy: "prefer"}, gpu.Survey{Cards: []gpu.Card{able}})
	require.NoError(t, err)
	require.ErrorContains(t, one.ask(show), "cuda:0: it has no encoder for av1", "it has one that is not usable")
	none, err := newTestDevices(t, config.GPU{Policy: "prefer"}, gpu.Survey{Fault: "no CUDA device: no NVIDIA driver is loaded"})
	require.NoError(t, err)
	require.ErrorContains(t, none.ask(show), "there is no card")
	require.Equal(t, "cpu", none.place(show).Device)
}

// A card that failed for good is not tried again when others would be.
func TestACardThatIsBrokenStaysOut(t *testing.T) {
	d, err := newTestDevices(t, config.GPU{Policy: "prefer"}, gpu.Survey{Cards: []gpu.Card{cardOf("cuda:0", "0000:01:00.0", true)}})
	require.NoError(t, err)
	now := time.Now()
	d.now = func() time.Time { return now }
	require.Equal(t, "cuda:0", d.place(showOn("main")).Device)
	d.failed("main", worker.Fault{Device: "cuda:0", Cause: worker.FaultLost, Error: "it is gone"})
	d.sample(monitor.Sample{Cards: []monitor.Card{{Bus: "0000:01:00.0", Xid: 79, Xids: 1}}})
	now = now.Add(rest + time.Second)
	require.Equal(t, "cpu", d.place(showOn("main")).Device)
	require.Contains(t, d.reason("main"), "fallen off the bus")
}

// What the card says is shown, and one that has failed for good gets nothing more.
func TestDeviceHealth(t *testing.T) {
	d, err := newTestDevices(t, config.GPU{Policy: "prefer"},
		gpu.Survey{Cards: []gpu.Card{cardOf("cuda:0", "0000:01:00.0", false), cardOf("cuda:1", "0000:02:00.0", true)}})
	require.NoError(t, err)
	sample := monitor.Sample{Cards: []monitor.Card{
		{Bus: "0000:01:00.0", MemoryTotal: 24, MemoryUsed: 5, Encoder: 0.5, Sessions: 3, Temperature: 60, Throttled: []string{"heat"}},
		{Bus: "0000:02:00.0", Xid: 79, Xids: 1},
		{Bus: "0000:07:00.0"}, // another's
	}}
	d.sample(sample)
	list := d.list()
	require.EqualValues(t, 5, list[1].Health.MemoryUsedBytes)
	require.Equal(t, []string{"heat"}, list[1].Health.Throttled)
	require.True(t, list[1].Usable)
	require.Contains(t, list[2].Reason, "fallen off the bus")
	require.Equal(t, "cuda:0", d.place(showOn("main")).Device)
	require.Equal(t, "cuda:0 has no NVENC that can be used", d.reason("main"))
	var codes []string
	for _, trouble := range d.troubles(defaultThresholds()) {
		codes = append(codes, trouble.code+" "+trouble.source)
	}
	require.Equal(t, []string{"device.down cuda:1", "device.slowed cuda:0"}, codes)
	encoders := d.encoders()
	require.Equal(t, "h264_nvenc", encoders[1].Codec)
	require.True(t, encoders[1].Usable)
	require.Contains(t, encoders[2].Reason, d.whyNone())
}

// A survey's process that crashes, or is silent, is a machine without cards.
func TestSurveyThatFails(t *testing.T) {
	survey := cards.Examine(context.Background(), child.Command{Path: "/bin/false"})
	require.Contains(t, survey.Fault, "crashed: exit status 1")
	survey = cards.Examine(context.Background(), child.Command{Path: "/no/such/program"})
	require.Contains(t, survey.Fault, "did not start")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	survey = cards.Examine(gone, child.Command{Path: "/bin/sleep", Args: []string{"60"}})
	require.Contains(t, survey.Fault, "crashed: signal: killed")
	require.Empty(t, os.Getenv(testDriver), "tests of the CPU run without the emulation")
}
