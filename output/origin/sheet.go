package origin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

// Sheet is pictures of segments, to be laid side by side in tiles, row by row.
type Sheet struct {
	Columns, Rows int
	Width, Height int            // of a tile, pixels
	Tracks        []*media.Track // of each picture
	Pictures      [][]byte       // access units that begin segments; nil for none
}

// The thumbnails of a view: one picture a segment, sheets of 5x5 tiles.
const (
	sheetColumns, sheetRows = 5, 5
	sheetTiles              = sheetColumns * sheetRows
	tileWidth               = 160
	posterWidth             = 320
	keptSheets              = 64
	drawingLimit            = 10 * time.Second
)

// sheets keeps the newest sheets that were drawn of what does not change.
type sheets struct {
	drawing chan struct{} // one at a time

	mu     sync.Mutex
	newest []drawnSheet // newest last
}

type drawnSheet struct {
	key  string
	jpeg []byte
}

func (s *sheets) get(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.newest {
		if d.key == key {
			return d.jpeg
		}
	}
	return nil
}

func (s *sheets) put(key string, jpeg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.newest) == keptSheets {
		s.newest = append(s.newest[:0:0], s.newest[1:]...)
	}
	s.newest = append(s.newest, drawnSheet{key, jpeg})
}

// smallest is the picture rendition whose shape thumbnails have, and of which
// they are made where it is stored.
func (v view) smallest() (least *cmaf.Rendition) {
	for _, r := range v.renditions() {
		if r.Track.Kind == media.Video && (least == nil || r.Bandwidth < least.Bandwidth) {
			least = r
		}
	}
	return least
}

// pictures are the segments of numbers [from, to) that thumbnails are made of: of
// each the smallest that is stored, nil where there is none.
func (v view) pictures(from, to int64) []*record.Segment {
	out := make([]*record.Segment, max(to-from, 0))
	for _, r := range v.renditions() {
		if r.Track.Kind != media.Video {
			continue
		}
		for _, g := range v.edge.Listing(r.ID).Range(from, to) {
			least := &out[g.Number-from]
			if !g.Gap() && (*least == nil || g.Rendition.Bandwidth < (*least).Rendition.Bandwidth) {
				*least = g
			}
		}
	}
	return out
}

// illustrated is the view with thumbnails, which begin with the first segment that
// is listed, as the time of players does.
func (v view) illustrated() view {
	v.drawn = true
	if v.latency > 0 {
		return v
	}
	if first, _ := v.reach(); first >= 0 {
		v.from = max(v.from, first)
	}
	return v
}

// tileHeight keeps the shape of a rendition.
func tileHeight(r *cmaf.Rendition, width int) int {
	return max(2, (width*r.Height/max(r.Width, 1)+1)&^1)
}

// thumbnails is what a name below thumbnails/ asks for: segments [from, to) of the
// view, and their shape on the sheet. N.jpg is the N-th sheet, at-K.jpg the picture
// of segment K, poster.jpg the first picture.
func (v view) thumbnails(name string) (from, to int64, columns, rows, width int, ok bool) {
	if name == "poster.jpg" {
		return v.from, v.from + 1, 1, 1, posterWidth, true
	}
	stem, found := strings.CutSuffix(name, ".jpg")
	if number, single := strings.CutPrefix(stem, "at-"); single {
		k, canonical := parseCanonical(number)
		return k, k + 1, 1, 1, tileWidth, found && canonical && k >= v.from && k < v.to
	}
	n, canonical := parseCanonical(stem)
	from = v.from + n*sheetTiles
	if !found || !canonical || n > 1<<32 || from >= v.to || v.latency > 0 { // what slides has no first sheet
		return 0, 0, 0, 0, 0, false
	}
	return from, min(from+sheetTiles, v.to), sheetColumns, sheetRows, tileWidth, true
}

// serveThumbnail answers for an image below thumbnails/ of a view.
func (h *Handler) serveThumbnail(w http.ResponseWriter, r *http.Request, v view, name string) {
	rendition := v.smallest()
	from, to, columns, rows, width, ok := v.thumbnails(name)
	if h.config.Draw == nil || !ok || rendition == nil {
		refuse(w, r, http.StatusNotFound, v.ages.plainError)
		return
	}
	sheet := Sheet{Columns: columns, Rows: rows, Width: width, Height: tileHeight(rendition, width)}
	held := sheet.take(v.pictures(from, to))
	if held == 0 {
		refuse(w, r, http.StatusNotFound, v.ages.plainError)
		return
	}
	key := fmt.Sprint(v.channel.id, " ", from, " ", to, " ", held, " ", width)
	jpeg := h.sheets.get(key)
	if jpeg == nil {
		if jpeg = h.draw(w, r, v, sheet); jpeg == nil {
			return
		}
		h.sheets.put(key, jpeg)
	}
	header := w.Header()
	header["Content-Type"] = typeImage
	header["Cache-Control"] = v.ages.plain
	if whole := to - from; int64(held) == whole && (whole == sheetTiles || columns == 1 || v.ended) {
		header["Cache-Control"] = minutes // not for good: the first segment of a span expires in the end
	}
	header["Content-Length"] = []string{strconv.Itoa(len(jpeg))}
	if r.Method == http.MethodHead {
		return
	}
	s := newSender(w)
	defer s.done()
	s.expect(len(jpeg))
	_, _ = w.Write(jpeg) // the client is gone
}

// take fills a sheet with the first pictures of segments, of which some may be nil,
// and says how many there are.
func (s *Sheet) take(row []*record.Segment) (held int) {
	s.Pictures, s.Tracks = make([][]byte, len(row)), make([]*media.Track, len(row))
	for i, g := range row {
		if g == nil {
			continue
		}
		picture, err := g.Picture()
		if err != nil || picture == nil {
			continue
		}
		s.Pictures[i], s.Tracks[i] = picture, g.Rendition.Track
		held++
	}
	return held
}

// draw has a sheet drawn when it is its turn; nil when it has answered.
func (h *Handler) draw(w http.ResponseWriter, r *http.Request, v view, sheet Sheet) []byte {
	ctx, cancel := context.WithTimeout(r.Context(), drawingLimit)
	defer cancel()
	select {
	case h.sheets.drawing <- struct{}{}:
		defer func() { <-h.sheets.drawing }()
	case <-ctx.Done():
		starting(w, r)
		return nil
	}
	jpeg, err := h.config.Draw(ctx, sheet)
	if err != nil {
		h.config.Log.Warn("thumbnails cannot be drawn", "channel", v.channel.id, "err", err)
		starting(w, r)
		return nil
	}
	return jpeg
}

// thumbnailTrack is a document of the thumbnails: the WebVTT that names the tile
// of each segment, or the image playlist that Shaka Player reads; nil for others.
func (v view) thumbnailTrack(name string) *document {
	r := v.smallest()
	if r == nil {
		return nil
	}
	switch {
	case name == "thumbnails.vtt" && v.latency == 0: // its times begin with the view
		return newDocument(typeWebVTT, v.thumbnailCues(r))
	case name == "thumbnails.m3u8" && v.ended:
		return newDocument(typePlaylist, v.sheetPlaylist(r))
	case name == "thumbnails.m3u8":
		return newDocument(typePlaylist, v.picturePlaylist(r))
	}
	return nil
}

func (v view) thumbnailCues(r *cmaf.Rendition) []byte {
	out := []byte("WEBVTT\n")
	height := tileHeight(r, tileWidth)
	start := r.Grid.SegmentTime(v.from)
	at := func(k int64) string {
		ms := r.Grid.SegmentTime(k).Sub(start).Milliseconds()
		return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
	}
	for i, g := range v.pictures(v.from, v.to) {
		if g == nil {
			continue
		}
		n := int64(i)
		tile := int(n % sheetTiles)
		out = fmt.Appendf(out, "\n%s --> %s\nthumbnails/%d.jpg#xywh=%d,%d,%d,%d\n", at(g.Number), at(g.Number+1),
			n/sheetTiles, tile%sheetColumns*tileWidth, tile/sheetColumns*height, tileWidth, height)
	}
	return out
}

// sheetPlaylist is an image media playlist of what has ended: EXT-X-TILES says how
// each JPEG is cut (the HLS image extension that players share).
func (v view) sheetPlaylist(r *cmaf.Rendition) []byte {
	segment := r.Grid.SegmentDuration().Seconds()
	out := fmt.Appendf(nil, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-IMAGES-ONLY\n",
		int(sheetTiles*segment+1))
	out = appendDateTime(out, r.Grid.SegmentTime(v.from))
	for n := int64(0); n*sheetTiles < v.to-v.from; n++ {
		count := min(v.to-v.from-n*sheetTiles, sheetTiles)
		out = fmt.Appendf(out, "#EXTINF:%.6f,\n#EXT-X-TILES:RESOLUTION=%dx%d,LAYOUT=%dx%d,DURATION=%.6f\nthumbnails/%d.jpg\n",
			float64(count)*segment, tileWidth, tileHeight(r, tileWidth), sheetColumns, sheetRows, segment, n)
	}
	return append(out, "#EXT-X-ENDLIST\n"...)
}

// picturePlaylist is that of what goes on: a picture for each segment. Sheets would
// have a target duration of 80 s, three of which Shaka Player then stays behind.
func (v view) picturePlaylist(r *cmaf.Rendition) []byte {
	first, last := v.reach()
	out := fmt.Appendf(nil, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n", r.Grid.TargetDuration(), first)
	if v.kind == cmaf.Event {
		out = append(out, "#EXT-X-PLAYLIST-TYPE:EVENT\n"...)
	}
	out = append(out, "#EXT-X-IMAGES-ONLY\n"...)
	segment := r.Grid.SegmentDuration().Seconds()
	for i, g := range v.pictures(first, last+1) {
		if i == 0 {
			out = appendDateTime(out, r.Grid.SegmentTime(first))
		}
		if g == nil {
			out = append(out, "#EXT-X-GAP\n"...)
		}
		out = fmt.Appendf(out, "#EXTINF:%.6f,\n#EXT-X-TILES:RESOLUTION=%dx%d,LAYOUT=1x1,DURATION=%.6f\nthumbnails/at-%d.jpg\n",
			segment, tileWidth, tileHeight(r, tileWidth), segment, first+int64(i))
	}
	return out
}

func appendDateTime(out []byte, t media.Time) []byte {
	return t.UTC().AppendFormat(append(out, "#EXT-X-PROGRAM-DATE-TIME:"...), "2006-01-02T15:04:05.000Z07:00\n")
}

// nameThumbnails adds the thumbnails to a multivariant playlist; players that do
// not know the tag pass over it.
func (v view) nameThumbnails(playlist []byte) []byte {
	r := v.smallest()
	if r == nil {
		return playlist
	}
	return fmt.Appendf(playlist, "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=20000,CODECS=\"jpeg\",RESOLUTION=%dx%d,URI=\"thumbnails.m3u8\"\n",
		tileWidth, tileHeight(r, tileWidth))
}

// thumbnailSet describes the thumbnails in a manifest; nil where there are none.
func (v view) thumbnailSet() *cmaf.Thumbnails {
	r := v.smallest()
	if r == nil {
		return nil
	}
	return &cmaf.Thumbnails{
		Sheets: "thumbnails/$Number$.jpg", Columns: sheetColumns, Rows: sheetRows,
		Single: "thumbnails/at-$Number$.jpg", TileWidth: tileWidth, TileHeight: tileHeight(r, tileWidth),
	}
}
