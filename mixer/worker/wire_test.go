package worker

import (
	"image"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/child"
	"millrace/internal/child/sandbox"
	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/mixer/scene"
)

var rate30 = media.Rate{Num: 30, Den: 1}

func pointer[T any](v T) *T { return &v }

func exampleShow() Show {
	return Show{
		Channel: "main", Canvas: Canvas{1280, 720, rate30},
		Sources: []Source{
			{ID: "cam1", Kind: Push, HoldMs: 2000, Audio: AudioSettings{GainDB: -3.5, Mode: AudioFollow}},
			{ID: "t1", Kind: Test, Test: &TestPattern{Pattern: 1, ToneHz: 440}},
		},
		Scenes:  []scene.Scene{{ID: "one", Layout: "solo", Slots: []string{"cam1"}}},
		Program: "one",
		Ladder:  []Rung{{"v720", 1280, 720, 2_800_000, media.H264}},
		AudioID: "audio", AudioBitrate: 128_000,
	}
}

func messages() []Message {
	track := &media.Track{ID: "v", Kind: media.Video, Codec: media.H264, MIME: "avc1.640020", Config: []byte{1, 2}, Width: 1280, Height: 720, Rate: rate30}
	sound := &media.Track{ID: "a", Kind: media.Audio, Codec: media.AAC, SampleRate: 48000, Channels: 2}
	return []Message{
		&Hello{Version: Version, Show: exampleShow(), Clock: ClockAnchor{1, 2}, Device: "cpu", GOPFrames: 48, Filler: true, LogLevel: "info"},
		&Fault{Device: "cuda:0", Cause: FaultLost, Error: "gone"},
		&Start{Frame: 53855280000},
		&TrackChange{Stream: 3, Source: "cam1", Track: track},
		&TrackChange{Stream: 4, Source: "cam1", Track: sound},
		&StreamPacket{Stream: 7, Packet: &media.Packet{PTS: -5, DTS: 1 << 60, Duration: time.Second, Stamp: 1 << 59, Key: true, Data: []byte("data")}},
		&StreamPacket{Packet: &media.Packet{Data: []byte{}}},
		&Gone{Source: "cam1"},
		&Command{ID: 9, At: 12, Cut: pointer("b"), Preview: pointer(""), Show: pointer(exampleShow()), Expect: pointer("a")},
		&Quit{},
		&Ready{
			Renditions: []Rendition{
				{ID: "v", Track: track, Bitrate: 1000, Filler: []Filler{{[]byte("one"), []byte("two")}, {[]byte("3"), {}}}},
				{ID: "a", Track: sound, Filler: []Filler{{[]byte("hush")}}},
				{ID: "return-cam1", Track: sound, Bitrate: 5, Return: "cam1"},
			},
			Multiview: track,
			Encoder:   EncoderInfo{"cpu", "libx264", "no CUDA device", map[string]string{"v1080": "it takes a card"}},
			Sandbox:   []sandbox.Layer{{Name: "seccomp", Active: true, Reason: "holds"}},
		},
		&Begin{Stream: 8, First: 1 << 40, Rendition: Rendition{ID: "return-cam1", Track: sound, Bitrate: 96_000, Return: "cam1"}},
		&End{Stream: 8},
		&Picture{Asset: "logo", Image: &image.RGBA{Pix: []byte("12345678"), Stride: 8, Rect: image.Rect(0, 0, 2, 1)}},
		&Picture{Asset: "logo"},
		&KeyFrame{Rung: "v720"},
		&Watch{Meters: true, Multiview: true},
		&Finding{Kind: FindingBlack, Source: "cam1", Begin: 7, End: 9},
		&Meters{Frame: 7, Program: Level{Peak: [2]float64{-1, -2.5}, Momentary: -23}, Sources: map[string]Level{"cam1": {TruePeak: -120}}},
		&Ack{ID: 9, Frame: 3, Program: "a", Preview: "b", Code: AckPast, Error: "frame 2 is over"},
		&Report{
			Frame: 1, Late: 2, Repeated: 3, Program: "a", Outstanding: 5,
			Sources: map[string]SourceReport{"cam1": {State: Live, Frames: 6, PeakDB: -120, Way: Way{Wait: delay.Spread{P50: 3, P95: 4, Max: 5, Count: 6}}}},
			Rungs:   map[string]delay.Spread{"v720": {P50: 5}},
			Phases:  Phases{Interval: time.Second / 30, Encode: Phase{1, 2}},
		},
	}
}

func TestMessagesSurviveTheSocket(t *testing.T) {
	server, client, err := child.Pair()
	require.NoError(t, err)
	defer server.Close()
	defer client.Close()
	for _, message := range messages() {
		require.NoError(t, Send(server, message))
		got, err := Receive(client)
		require.NoError(t, err)
		require.Equal(t, message, got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name    string
		kind    byte
		payload string
	}{
		{"unknown kind", 99, ""},
		{"picture without an asset", kindPicture, "\x00\x00\x01\x00\x01RGBA"},
		{"picture cut short", kindPicture, "\x01a\x00\x01\x00\x01RGB"},
		{"picture without sizes", kindPicture, "\x01a\x00\x01\x00"},
		{"bytes behind a picture", kindPicture, "\x01a\x00\x01\x00\x01RGBAx"},
		{"picture of one side", kindPicture, "\x01a\x00\x01\x00\x00"},
		{"picture that is too wide", kindPicture, "\x01a\x20\x01\x00\x01" + strings.Repeat("RGBA", 8193)},
		{"asset that is too long", kindPicture, "\x41" + strings.Repeat("a", 65) + "\x00\x00\x00\x00"},
		{"short packet", kindPacket, strings.Repeat("x", packetHeaderSize-1)},
		{"unknown packet flags", kindPacket, strings.Repeat("\x80", packetHeaderSize)},
		{"another version", kindHello, `{"version":1,"gopFrames":1,"show":{"canvas":{"rate":"30"}}}`},
		{"hello without rate", kindHello, `{"version":3,"gopFrames":1}`},
		{"show without rate", kindCommand, `{"show":{}}`},
		{"unknown field", kindStart, `{"frame":1,"fame":2}`},
		{"two values", kindStart, `{"frame":1}{}`},
		{"no value", kindAck, ``},
		{"bad multiview", kindReady, "\x00\x00\x00\x1d" + `{"multiview":{"rate":"zero"}}}`},
		{"bad rate", kindTrack, `{"track":{"rate":"0"}}`},
		{"short ready", kindReady, "\x00\x00\x00\x09{}"},
		{"filler cut short", kindReady, "\x00\x00\x00\x23" + `{"renditions":[{"filler":[[5,1]]}]}` + "12345"},
		{"begin with filler", kindBegin, `{"stream":1,"rendition":{"id":"r","filler":[[1]]}}`},
		{"bytes behind the filler", kindReady, "\x00\x00\x00\x02{}1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decode(test.kind, []byte(test.payload))
			require.ErrorIs(t, err, ErrProtocol)
		})
	}
}

// What decodes encodes to something that decodes to the same, and nothing
// that arrives makes the decoder panic or allocate beyond the frame.
func FuzzDecode(f *testing.F) {
	for _, message := range messages() {
		parts, err := encode(message)
		require.NoError(f, err)
		var payload []byte
		for _, part := range parts {
			payload = append(payload, part...)
		}
		f.Add(message.kind(), payload)
	}
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		message, err := decode(kind, payload)
		if err != nil {
			require.ErrorIs(t, err, ErrProtocol)
			return
		}
		parts, err := encode(message)
		require.NoError(t, err)
		var again []byte
		for _, part := range parts {
			again = append(again, part...)
		}
		second, err := decode(message.kind(), again)
		require.NoError(t, err)
		third, err := encode(second)
		require.NoError(t, err)
		var stable []byte
		for _, part := range third {
			stable = append(stable, part...)
		}
		require.Equal(t, string(again), string(stable))
	})
}

func TestClockCrossesProcesses(t *testing.T) {
	clock := media.StartClock()
	anchor, err := Anchor(clock)
	require.NoError(t, err)
	same, err := anchor.Clock()
	require.NoError(t, err)
	require.InDelta(t, 0, float64(same.Now().Sub(clock.Now())), float64(5*time.Millisecond))
}

func TestFirstAccessUnitStartsInItsFrame(t *testing.T) {
	for _, rate := range []media.Rate{{Num: 24000, Den: 1001}, {Num: 25, Den: 1}, rate30, {Num: 60000, Den: 1001}} {
		first := rate.Index(media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)))
		for frame := first; frame < first+500; frame++ {
			for _, grid := range []AudioGrid{AACGrid, OpusGrid} {
				unit := grid.First(rate, frame)
				require.GreaterOrEqual(t, unit*int64(grid), rate.Samples(frame, AudioHz))
				require.Less(t, (unit-1)*int64(grid), rate.Samples(frame, AudioHz))
				number, exact := grid.Number(grid.At(unit))
				require.True(t, exact)
				require.Equal(t, unit, number)
				_, exact = grid.Number(grid.At(unit) + 1)
				require.False(t, exact)
			}
		}
	}
}
