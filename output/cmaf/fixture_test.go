package cmaf

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

var contractRates = []string{"24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"}

// noon is an instant at which the tests run: counts since the epoch are large.
var noon = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

func gridOf(t testing.TB, rate string) Grid {
	t.Helper()
	parsed, err := media.ParseRate(rate)
	require.NoError(t, err)
	return NewGrid(parsed)
}

// elementary is a stream of the testdata folder: parameter sets and access
// units with 4-byte lengths.
type elementary struct {
	sps, pps [][]byte
	units    [][]byte
	keys     []bool
}

func readH264(t testing.TB, name string) elementary {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var e elementary
	for _, nalu := range avc.ExtractNalusFromByteStream(raw) {
		switch kind := avc.GetNaluType(nalu[0]); kind {
		case avc.NALU_AUD:
			e.units, e.keys = append(e.units, nil), append(e.keys, false)
		case avc.NALU_SPS:
			if len(e.sps) == 0 {
				e.sps = append(e.sps, nalu)
			}
		case avc.NALU_PPS:
			if len(e.pps) == 0 {
				e.pps = append(e.pps, nalu)
			}
		default:
			last := len(e.units) - 1
			e.units[last] = append(binary.BigEndian.AppendUint32(e.units[last], uint32(len(nalu))), nalu...)
			e.keys[last] = e.keys[last] || kind == avc.NALU_IDR
		}
	}
	return e
}

func readAAC(t testing.TB, name string) elementary {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var e elementary
	for len(raw) > 0 {
		header, _, err := aac.DecodeADTSHeader(bytes.NewReader(raw))
		require.NoError(t, err)
		size := int(header.HeaderLength) + int(header.PayloadLength)
		e.units, e.keys = append(e.units, raw[header.HeaderLength:size]), append(e.keys, true)
		raw = raw[size:]
	}
	return e
}

// videoTrack lists the parameter sets of both encoders.
func videoTrack(t testing.TB, id string) *media.Track {
	t.Helper()
	primary, fallback := readH264(t, "primary.h264"), readH264(t, "fallback.h264")
	record, err := avc.CreateAVCDecConfRec(append(primary.sps, fallback.sps...), append(primary.pps, fallback.pps...), true)
	require.NoError(t, err)
	var config bytes.Buffer
	require.NoError(t, record.Encode(&config))
	return &media.Track{ID: id, Kind: media.Video, Codec: media.H264, Config: config.Bytes(), Width: 160, Height: 90}
}

func audioTrack(t testing.TB, id string) *media.Track {
	t.Helper()
	config := aac.AudioSpecificConfig{ObjectType: aac.AAClc, ChannelConfiguration: 2, SamplingFrequency: 48000}
	var out bytes.Buffer
	require.NoError(t, config.Encode(&out))
	return &media.Track{ID: id, Kind: media.Audio, Codec: media.AAC, Config: out.Bytes(), SampleRate: 48000, Channels: 2}
}

func rendition(t testing.TB, grid Grid, track *media.Track) *Rendition {
	t.Helper()
	bitrate := 60_000
	if track.Kind == media.Audio {
		bitrate = 32_000
	}
	r, err := NewRendition(grid, track.ID, track, bitrate)
	require.NoError(t, err)
	return r
}

// packet is unit i of a rendition, with bytes that name it. Video has an IDR at
// each start of a group of pictures.
func packet(r *Rendition, unit int64) *media.Packet {
	p := &media.Packet{Track: r.Track, PTS: r.Time(unit * r.UnitTicks())}
	p.DTS = p.PTS
	p.Key = r.Track.Kind == media.Audio || unit%r.Grid.GOPFrames() == 0
	nalu := byte(1)
	if p.Key {
		nalu = 5
	}
	p.Data = binary.BigEndian.AppendUint64([]byte{0, 0, 0, 9, nalu}, uint64(unit))
	p.Data = append(p.Data, make([]byte, unit%7)...)
	return p
}

// recorded is the real media of testdata laid on the grid from segment k on, as
// chunks of both renditions.
func recorded(t testing.TB, grid Grid, k int64) (renditions []*Rendition, chunks []*Chunk) {
	t.Helper()
	video, audio := rendition(t, grid, videoTrack(t, "v90")), rendition(t, grid, audioTrack(t, "audio"))
	renditions = []*Rendition{video, audio}
	p := NewPackager(renditions, func(c *Chunk) { chunks = append(chunks, c) })
	p.Faults = func(f Fault) { t.Errorf("unexpected fault: %+v", f) }
	for _, from := range []struct {
		r      *Rendition
		stream elementary
	}{{video, readH264(t, "primary.h264")}, {audio, readAAC(t, "tone.aac")}} {
		first := from.r.FirstUnit(k, 0)
		for i, data := range from.stream.units {
			sample := packet(from.r, first+int64(i))
			sample.Data, sample.Key = data, from.stream.keys[i]
			p.Write(sample)
		}
	}
	return renditions, chunks
}
