package appliance

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/child"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
	"millrace/output/origin"
	"millrace/record"
)

// tile reads the number in a tile of a sheet, counted from the footage's first frame.
func (f *footage) tile(sheet *image.YCbCr, at image.Rectangle) (int64, bool) {
	p := pattern.Picture{
		Width: at.Dx(), Height: at.Dy(), YStride: sheet.YStride, Y: sheet.Y[sheet.YOffset(at.Min.X, at.Min.Y):],
	}
	n, ok := pattern.ReadCounter(p)
	return int64(n) - int64(uint32(f.first)), ok
}

func (f *footage) sheet(path string) *image.YCbCr {
	picture, err := jpeg.Decode(bytes.NewReader(f.fetch(path)))
	require.NoError(f.t, err)
	return picture.(*image.YCbCr)
}

func TestThumbnailsNameThePictureOfEachSegment(t *testing.T) {
	f := newFootage(t, "25", gpu.Size{Width: 320, Height: 180}, 6)
	segment := f.grid.SegmentFrames
	k, _ := f.grid.Segment(f.first)
	f.recordings["r"] = origin.Recording{Channel: "main", From: k + 1, To: k + 5}
	f.recordings["open"] = origin.Recording{Channel: "main", From: k, To: record.Forever}
	cues := string(f.fetch("/vod/r/thumbnails.vtt"))
	require.Equal(t, 4, strings.Count(cues, "-->"))
	sheet := f.sheet("/vod/r/thumbnails/0.jpg")
	require.Equal(t, image.Rect(0, 0, 800, 450), sheet.Bounds())
	for i, cue := range strings.Split(strings.TrimSpace(strings.TrimPrefix(cues, "WEBVTT\n")), "\n\n") {
		var n, x, y, w, h int
		lines := strings.Split(cue, "\n")
		_, err := fmt.Sscanf(lines[1], "thumbnails/%d.jpg#xywh=%d,%d,%d,%d", &n, &x, &y, &w, &h)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(lines[0], fmt.Sprintf("00:00:%02d.%d00 --> ", i*32/10, i*32%10)), lines[0])
		frame, ok := f.tile(sheet, image.Rect(x, y, x+w, y+h))
		require.True(t, ok, "tile %d", i)
		require.Equal(t, segment*int64(i+1), frame)
	}
	_, ok := f.tile(sheet, image.Rect(0, 90, 160, 180))
	require.False(t, ok, "there is no fifth row of it")
	require.Contains(t, string(f.fetch("/vod/r/thumbnails.m3u8")), "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=5x5,DURATION=3.200000\nthumbnails/0.jpg\n#EXT-X-ENDLIST")
	require.Contains(t, string(f.fetch("/vod/r/index.m3u8")), `#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=20000,CODECS="jpeg",RESOLUTION=160x90,URI="thumbnails.m3u8"`)
	mpd := string(f.fetch("/vod/r/manifest.mpd"))
	require.Contains(t, mpd, `schemeIdUri="http://dashif.org/guidelines/thumbnail_tile" value="5x5"`)
	require.Contains(t, mpd, `media="thumbnails/$Number$.jpg"`)
	require.Contains(t, string(f.fetch("/vod/open/manifest.mpd")), `media="thumbnails/at-$Number$.jpg"`, "sheets of what grows are not whole")
	poster := f.sheet("/vod/r/thumbnails/poster.jpg")
	require.Equal(t, image.Rect(0, 0, 320, 180), poster.Bounds())
	frame, ok := f.tile(poster, poster.Bounds())
	require.True(t, ok)
	require.Equal(t, segment, frame)

	dvr := fmt.Sprintf("/dvr/main/%d-now/", int64(f.grid.SegmentTime(k+2))/1e9+1)
	require.Equal(t, 4, strings.Count(string(f.fetch(dvr+"thumbnails.vtt")), "-->"))
	frame, ok = f.tile(f.sheet(dvr+"thumbnails/0.jpg"), image.Rect(0, 0, 160, 90))
	require.True(t, ok)
	require.Equal(t, 2*segment, frame)
	early := string(f.fetch(fmt.Sprintf("/dvr/main/%d-now/thumbnails.vtt", int64(f.grid.SegmentTime(k))/1e9-60)))
	require.Contains(t, early, "WEBVTT\n\n00:00:00.000 --> 00:00:03.200\nthumbnails/0.jpg#xywh=0,0,160,90\n", "it begins with what is there")
	f.exact(segment+20, 2*segment)
	frame, ok = f.tile(f.sheet("/clips/c/thumbnails/poster.jpg"), poster.Bounds())
	require.True(t, ok)
	require.Equal(t, segment, frame)
	for _, path := range []string{"/vod/r/thumbnails/1.jpg", "/vod/r/thumbnails/00.jpg", "/vod/r/thumbnails/x.jpg", "/vod/r/thumbnails/-1.jpg", "/dvr/main/rewind-5/thumbnails/0.jpg", "/dvr/main/rewind-5/thumbnails.vtt"} {
		answer := httptest.NewRecorder()
		f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusNotFound, answer.Code, path)
	}
}

// A source may send anything: what cannot be decoded is a black picture, and the
// process is gone afterwards.
func TestASheetOfGarbageIsBlack(t *testing.T) {
	draw := reencoder{child.Command{Args: []string{"clip-encoder"}}}.draw
	track := &media.Track{Kind: media.Video, Codec: media.HEVC, Config: []byte{1, 2, 3}}
	data, err := draw(t.Context(), origin.Sheet{Columns: 1, Rows: 1, Width: 64, Height: 36, Tracks: []*media.Track{track}, Pictures: [][]byte{{0, 0, 0, 1, 9}}})
	require.NoError(t, err)
	picture, err := jpeg.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 64, 36), picture.Bounds())
}
