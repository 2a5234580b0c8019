package cmaf

// PlaylistType says what may happen to a media playlist.
type PlaylistType uint8

// The kinds of media playlist (draft-pantos-hls-rfc8216bis-22 §4.4.3.5).
const (
	Live  PlaylistType = iota // segments come and go; no EXT-X-PLAYLIST-TYPE
	Event                     // segments come only
	VOD                       // nothing changes
)

// MediaPlaylist is everything that a media playlist of one rendition says. It
// is filled by the origin for each version and written by Marshal.
type MediaPlaylist struct {
	Rendition *Rendition
	Type      PlaylistType

	// Segments in rising order of Number. Only the last may be incomplete.
	// Numbers that are not there are listed as gaps of their whole duration, so
	// the window is Segments[0].Number up to the last.
	Segments []Segment
	// LowLatency lists parts near the end, the hint for the next one, and
	// promises blocking reloads. Without it an incomplete last segment is left out.
	LowLatency bool
	// Ended adds EXT-X-ENDLIST; no hint is given then.
	Ended bool
	// PartHoldBack is the channel's, in microseconds, the same in every playlist
	// of it: see PartHoldBack.
	PartHoldBack int64
	// Reports are the other renditions of the channel; LowLatency only.
	Reports []Report
	// Base stands before the names of segments and of the init section; "" when
	// they lie beside the playlist, else ending in "/".
	Base string
	// DiscontinuitySequence is always written (A14): how many
	// discontinuities lie before Segments[0].
	DiscontinuitySequence int64
}

// Report is what EXT-X-RENDITION-REPORT says of another rendition.
type Report struct {
	URI         string // relative to this playlist: "../audio/index.m3u8"
	LastSegment int64  // the highest number listed there, complete or not
	LastPart    int    // the highest part listed of it; below 0 when it lists none
}

// PartHoldBack is the value for every playlist of a channel: three times its
// longest part target, in microseconds (conformance §9).
func PartHoldBack(renditions []*Rendition) int64 {
	var longest int64
	for _, r := range renditions {
		longest = max(longest, r.partTarget())
	}
	return 3 * longest
}
