package audio

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asticode/go-astiav"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// sourcePackets is 1.5 s of a 1 kHz sine at a quarter of full scale, encoded
// by the ffmpeg of the distribution.
func sourcePackets(t *testing.T, codec media.Codec, rate, channels int) []*media.Packet {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	encoder, name := string(codec), "sound.mkv"
	switch codec {
	case media.Opus:
		encoder = "libopus"
	case media.MP3:
		encoder = "libmp3lame"
	case media.AACLATM:
		encoder, name = "aac", "sound.ts"
	}
	file := filepath.Join(t.TempDir(), name)
	sine := strings.TrimSuffix(strings.Repeat("0.25*sin(2*PI*1000*t)|", channels), "|")
	args := []string{"-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("aevalsrc=%s:s=%d:d=1.5", sine, rate), "-c:a", encoder, "-b:a", fmt.Sprint(channels * 64000)}
	if codec == media.AACLATM {
		args = append(args, "-mpegts_flags", "latm")
	}
	output, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, file)...).CombinedOutput()
	require.NoError(t, err, string(output))
	return demux(t, file, &media.Track{ID: "a", Kind: media.Audio, Codec: codec, SampleRate: rate, Channels: channels})
}

// demux cuts a file with one audio stream into packets.
func demux(t *testing.T, file string, track *media.Track) []*media.Packet {
	input := astiav.AllocFormatContext()
	defer input.Free()
	require.NoError(t, input.OpenInput(file, nil, nil))
	defer input.CloseInput()
	require.NoError(t, input.FindStreamInfo(nil))
	stream := input.Streams()[0]
	if track.Codec == media.AAC {
		track.Config = stream.CodecParameters().ExtraData()
	}
	packet := astiav.AllocPacket()
	defer packet.Free()
	var packets []*media.Packet
	for {
		packet.Unref()
		if err := input.ReadFrame(packet); errors.Is(err, astiav.ErrEof) {
			return packets
		} else {
			require.NoError(t, err)
		}
		scale := stream.TimeBase()
		pts := media.Time(packet.Pts() * int64(scale.Num()) * 1e9 / int64(scale.Den()))
		packets = append(packets, &media.Packet{Track: track, PTS: pts + 3600e9, Key: true, Data: packet.Data()})
	}
}
