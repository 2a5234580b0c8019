package cmaf

import (
	"fmt"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// Thumbnails are JPEG sheets beside a static manifest, numbered from 0, the first
// beginning with the presentation (DASH-IF IOP part 11, tiled thumbnails).
type Thumbnails struct {
	Media                 string // template with $Number$
	Columns, Rows         int
	TileWidth, TileHeight int
	Duration              time.Duration // of a sheet
}

const tileScheme = "http://dashif.org/guidelines/thumbnail_tile"

// set is the adaptation set of the sheets.
func (t *Thumbnails) set(id uint32) *mpd.AdaptationSetType {
	set := mpd.NewAdaptationSet()
	set.Id = mpd.Ptr(id)
	set.ContentType, set.MimeType = "image", "image/jpeg"
	template := mpd.NewSegmentTemplate()
	template.Media = t.Media
	template.Timescale = mpd.Ptr(uint32(1_000_000))
	template.Duration = mpd.Ptr(uint32(t.Duration.Microseconds()))
	template.StartNumber = mpd.Ptr(uint32(0))
	set.SegmentTemplate = template
	representation := mpd.NewRepresentation()
	representation.Id, representation.Bandwidth = "thumbnails", 20_000
	representation.Width, representation.Height = uint32(t.Columns*t.TileWidth), uint32(t.Rows*t.TileHeight)
	representation.EssentialProperties = []*mpd.DescriptorType{{SchemeIdUri: tileScheme, Value: fmt.Sprintf("%dx%d", t.Columns, t.Rows)}}
	set.AppendRepresentation(representation)
	return set
}
