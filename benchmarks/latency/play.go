package latency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

// player follows an LL-HLS playlist part by part. What is in a part can be seen
// the hold-back later: the player stays that far behind the end of the newest
// one that is listed.
type player struct {
	device gpu.Device
	clock  clock
	url    string // of the rendition
	delays delays
}

var (
	sequenceTag = regexp.MustCompile(`#EXT-X-MEDIA-SEQUENCE:(\d+)`)
	holdTag     = regexp.MustCompile(`PART-HOLD-BACK=([\d.]+)`)
	partTag     = regexp.MustCompile(`#EXT-X-PART:[^\n]*URI="(\d+)\.(\d+)\.m4s"`)
	initTag     = regexp.MustCompile(`#EXT-X-MAP:URI="([^"]+)"`)
)

// Run follows the playlist until the context ends.
func (p *player) Run(ctx context.Context) error {
	err := p.follow(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (p *player) follow(ctx context.Context) error {
	text, err := p.first(ctx)
	if err != nil {
		return err
	}
	hold, err := strconv.ParseFloat(string(submatch(holdTag, text)), 64)
	if err != nil {
		return fmt.Errorf("read playlist: %w", err)
	}
	track, err := p.track(ctx, string(submatch(initTag, text)))
	if err != nil {
		return err
	}
	decoder, err := p.device.NewDecoder(track)
	if err != nil {
		return err
	}
	defer decoder.Close()
	var pts media.Time
	for {
		k, part, ok := newest(text)
		if !ok {
			return errors.New("read playlist: no parts")
		}
		data, err := p.get(ctx, fmt.Sprintf("%d.%d.m4s", k, part))
		if err != nil {
			return err
		}
		at := p.clock.now() // the whole part is here
		units, err := unitsOf(data)
		if err != nil {
			return err
		}
		last := pattern.Picture{}
		var kept *gpu.Frame
		for _, unit := range units {
			pts++
			err := decoder.Decode(&media.Packet{Track: track, PTS: pts, DTS: pts, Key: true, Data: unit}, func(f *gpu.Frame) {
				if kept != nil {
					kept.Release()
				}
				kept, last = f, picture(f)
			})
			if err != nil {
				return fmt.Errorf("play: %w", err)
			}
		}
		if kept != nil {
			p.delays.see(last, at, time.Duration(hold*float64(time.Second)))
			kept.Release()
		}
		if text, err = p.next(ctx, k, part); err != nil {
			return err
		}
	}
}

// first waits for a playlist with parts.
func (p *player) first(ctx context.Context) ([]byte, error) {
	for {
		text, err := p.get(ctx, "index.m3u8")
		if err == nil {
			if _, _, ok := newest(text); ok {
				return text, nil
			}
		}
		if wait(ctx, 200*time.Millisecond) != nil {
			return nil, fmt.Errorf("wait for a playlist: %w", err)
		}
	}
}

// next blocks until the playlist lists the part that follows.
func (p *player) next(ctx context.Context, k int64, part int) ([]byte, error) {
	return p.get(ctx, fmt.Sprintf("index.m3u8?_HLS_msn=%d&_HLS_part=%d", k, part+1))
}

// newest is the last part of a playlist.
func newest(text []byte) (k int64, part int, ok bool) {
	all := partTag.FindAllSubmatch(text, -1)
	if len(all) == 0 || submatch(sequenceTag, text) == nil {
		return 0, 0, false
	}
	last := all[len(all)-1]
	k, _ = strconv.ParseInt(string(last[1]), 10, 64) // digits
	part, _ = strconv.Atoi(string(last[2]))
	return k, part, true
}

func submatch(tag *regexp.Regexp, text []byte) []byte {
	if m := tag.FindSubmatch(text); m != nil {
		return m[1]
	}
	return nil
}

// track is what an init section describes.
func (p *player) track(ctx context.Context, name string) (*media.Track, error) {
	data, err := p.get(ctx, name)
	if err != nil {
		return nil, err
	}
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil || file.Init == nil || file.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.AvcX == nil {
		return nil, fmt.Errorf("read init section: %w", errors.Join(err, errConfig))
	}
	var config bytes.Buffer
	if err := file.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.AvcX.AvcC.DecConfRec.Encode(&config); err != nil {
		return nil, fmt.Errorf("read init section: %w", err)
	}
	return &media.Track{ID: "video", Kind: media.Video, Codec: media.H264, Config: config.Bytes()}, nil
}

// unitsOf are the access units of a part.
func unitsOf(data []byte) (units [][]byte, err error) {
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read part: %w", err)
	}
	for _, segment := range file.Segments {
		for _, fragment := range segment.Fragments {
			samples, err := fragment.GetFullSamples(nil)
			if err != nil {
				return nil, fmt.Errorf("read part: %w", err)
			}
			for _, s := range samples {
				units = append(units, s.Data)
			}
		}
	}
	return units, nil
}

func (p *player) get(ctx context.Context, name string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+name, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	return data, nil
}
