package origin

import (
	"net/http"
	"strconv"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// MIME types (Apple's authoring specification, table 10.4; ISO/IEC 23009-1).
var (
	typePlaylist  = []string{"application/vnd.apple.mpegurl"}
	typeManifest  = []string{"application/dash+xml"}
	typeSegment   = []string{"video/iso.segment"}
	typeVideoInit = []string{"video/mp4"}
	typeAudioInit = []string{"audio/mp4"}
	typeImage     = []string{"image/jpeg"}
	typeWebVTT    = []string{"text/vtt; charset=utf-8"}
	typeText      = []string{"text/plain; charset=utf-8"}
)

// Values that are the same in every answer. They are shared and never written.
var (
	anyOrigin     = []string{"*"}
	exposed       = []string{"Content-Length, Content-Range, Date, ETag, Retry-After"}
	allowMethods  = []string{"GET, HEAD, OPTIONS"}
	allowHeaders  = []string{"Authorization, Cache-Control, Content-Type, If-None-Match, If-Range, Priority, Range, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status"}
	preflightAge  = []string{"86400"}
	noSniff       = []string{"nosniff"}
	varyEncoding  = []string{"Accept-Encoding"}
	encodingGzip  = []string{"gzip"}
	acceptRanges  = []string{"bytes"}
	noStore       = []string{"no-store"}
	immutable     = []string{"public, max-age=1209600, immutable"} // 14 days (K04)
	minutes       = []string{"public, max-age=300"}
	retryInSecond = []string{"1"}
)

// Urgency of answers (RFC 9218, H46): playlists before media, and a low bitrate
// before a high one.
var urgencies = [...][]string{1: {"u=1"}, 2: {"u=2"}, 3: {"u=3"}, 4: {"u=4"}, 5: {"u=5"}, 6: {"u=6"}}

var urgencyPlaylist = urgencies[1]

// urgency of a rendition's media among those of its channel: audio 2, then
// video from the lowest bitrate up.
func urgency(r *cmaf.Rendition, all []*cmaf.Rendition) []string {
	if r.Track.Kind == media.Audio {
		return urgencies[2]
	}
	lower := 0
	for _, other := range all {
		if other.Track.Kind == media.Video && other.Bandwidth < r.Bandwidth {
			lower++
		}
	}
	return urgencies[min(3+lower, len(urgencies)-1)]
}

// ages are the Cache-Control values that follow from a target duration TD.
type ages struct {
	blocking      []string // 6 x TD: what a request waited for (K01, K03)
	blockingError []string // 4 x TD (K01)
	plain         []string // TD / 2: a playlist asked for without waiting (K02)
	plainError    []string // 1 x TD (K02, K03)
}

func agesOf(target int) ages {
	age := func(seconds int) []string { return []string{"public, max-age=" + strconv.Itoa(max(seconds, 1))} }
	return ages{blocking: age(6 * target), blockingError: age(4 * target), plain: age(target / 2), plainError: age(target)}
}

// crossOrigin lets pages of any site read the answer, errors too (K09).
func crossOrigin(h http.Header) {
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposed
	h["Timing-Allow-Origin"] = anyOrigin
	h["X-Content-Type-Options"] = noSniff
}
