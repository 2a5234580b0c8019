package gpu

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/asticode/go-astiav"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// encoded has ffmpeg make a file from its arguments and gives the video packets
// in it. The test is skipped where there is no ffmpeg or not that encoder.
func encoded(t *testing.T, codec media.Codec, container string, arguments ...string) []*media.Packet {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg program")
	}
	path := filepath.Join(t.TempDir(), "clip."+container)
	arguments = append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-y"}, arguments...)
	var complaint bytes.Buffer
	command := exec.Command(ffmpeg, append(arguments, "-threads", "1", path)...)
	command.Stderr = &complaint
	if err := command.Run(); err != nil {
		if bytes.Contains(complaint.Bytes(), []byte("Unknown encoder")) {
			t.Skip(complaint.String())
		}
		require.NoError(t, err, complaint.String())
	}
	return demuxed(t, codec, path)
}

// demuxed reads the first stream of a file.
func demuxed(t *testing.T, codec media.Codec, path string) (packets []*media.Packet) {
	t.Helper()
	input := astiav.AllocFormatContext()
	require.NotNil(t, input)
	defer input.Free()
	require.NoError(t, input.OpenInput(path, nil, nil))
	defer input.CloseInput()
	require.NoError(t, input.FindStreamInfo(nil))
	stream := input.Streams()[0]
	parameters := stream.CodecParameters()
	track := &media.Track{
		ID: "t", Kind: media.Video, Codec: codec, Config: parameters.ExtraData(),
		Width: parameters.Width(), Height: parameters.Height(),
	}
	packet := astiav.AllocPacket()
	defer packet.Free()
	for {
		err := input.ReadFrame(packet)
		if errors.Is(err, astiav.ErrEof) {
			return packets
		}
		require.NoError(t, err)
		if packet.StreamIndex() == 0 {
			ticks := stream.TimeBase()
			nanoseconds := func(v int64) media.Time {
				return media.TimeOfTicks(v*int64(ticks.Num()), int64(ticks.Den()))
			}
			packets = append(packets, &media.Packet{
				Track: track, PTS: nanoseconds(packet.Pts()), DTS: nanoseconds(packet.Dts()),
				Key: packet.Flags().Has(astiav.PacketFlagKey), Data: packet.Data(),
			})
		}
		packet.Unref()
	}
}
