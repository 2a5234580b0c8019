package cmaf

import (
	"fmt"
	"math"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"millrace/internal/media"
)

// Multivariant is the playlist that names the media playlists of a channel, all
// of them relative: RENDITION/index.m3u8 and RENDITION/iframes.m3u8.
type Multivariant struct {
	Renditions []*Rendition // ladder first to last as players should start, then audio
	IFrames    bool         // name the I-frame playlists too
}

// iFrameShare is how much of a rung's peak its I-frames alone can take: the
// encoder's buffer holds 1.1 s of the target, and one is sent in 1.6 s.
const iFrameShare = 0.55

// Marshal writes the playlist. Without video the audio renditions are variants
// themselves.
func (m *Multivariant) Marshal() []byte {
	out := m3u8.NewMasterPlaylist()
	out.SetIndependentSegments(true)
	var video, audio []*Rendition
	for _, r := range m.Renditions {
		if r.Track.Kind == media.Audio {
			audio = append(audio, r)
		} else {
			video = append(video, r)
		}
	}
	if len(video) == 0 {
		for _, r := range audio {
			out.Append(playlistURI(r), nil, variant(r, nil))
		}
		return out.Encode().Bytes()
	}
	for _, r := range video {
		out.Append(playlistURI(r), nil, variant(r, audio))
	}
	if m.IFrames {
		for _, r := range video {
			out.Append(r.ID+"/iframes.m3u8", nil, m3u8.VariantParams{
				Bandwidth: uint32(float64(r.Bandwidth) * iFrameShare), Codecs: r.Codec, Resolution: resolution(r), Iframe: true,
			})
		}
	}
	return out.Encode().Bytes()
}

func playlistURI(r *Rendition) string { return r.ID + "/index.m3u8" }

func resolution(r *Rendition) string {
	if r.Track.Kind != media.Video {
		return ""
	}
	return fmt.Sprintf("%dx%d", r.Width, r.Height)
}

// variant joins a rung with the audio group: bandwidth is the largest sum of
// peaks over what can be played together (A18), codecs are all that occur (H47).
func variant(r *Rendition, audio []*Rendition) m3u8.VariantParams {
	v := m3u8.VariantParams{
		Bandwidth: uint32(r.Bandwidth), AverageBandwidth: uint32(r.AverageBandwidth),
		Codecs: r.Codec, Resolution: resolution(r), Captions: "NONE",
	}
	if r.Track.Kind == media.Video {
		v.FrameRate = math.Round(1000*float64(r.Grid.Rate.Num)/float64(r.Grid.Rate.Den)) / 1000
		v.VideoRange = "SDR"
	}
	peak, average := 0, 0
	codecs := map[string]bool{}
	for i, a := range audio {
		peak, average = max(peak, a.Bandwidth), max(average, a.AverageBandwidth)
		if !codecs[a.Codec] {
			codecs[a.Codec] = true
			v.Codecs += "," + a.Codec
		}
		v.Audio = a.Group
		v.Alternatives = append(v.Alternatives, &m3u8.Alternative{
			Type: "AUDIO", GroupId: a.Group, Name: a.Name, Language: a.Language, URI: playlistURI(a),
			Default: i == 0, Autoselect: true, Channels: &m3u8.Channels{Amount: a.Track.Channels},
		})
	}
	v.Bandwidth += uint32(peak)
	v.AverageBandwidth += uint32(average)
	return v
}
