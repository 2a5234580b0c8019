package cmaf

import (
	"fmt"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// Thumbnails are JPEG pictures beside a manifest (DASH-IF IOP part 11, tiled
// thumbnails).
type Thumbnails struct {
	// Sheets is a template with $Number$: sheets of Columns x Rows tiles, one for each
	// segment, numbered from 0, the first beginning with the presentation. They stand
	// in static manifests of one period.
	Sheets        string
	Columns, Rows int
	// Single is a template with $Number$ of a segment, whose picture it is: for all
	// other manifests.
	Single                string
	TileWidth, TileHeight int
}

const tileScheme = "http://dashif.org/guidelines/thumbnail_tile"

// thumbnailSet is the adaptation set of the pictures in a period that begins with
// segment from; sheets says that it is the whole of a presentation that has ended.
func (m *MPD) thumbnailSet(id uint32, from int64, sheets bool) *mpd.AdaptationSetType {
	grid, t := m.Windows[0].Rendition.Grid, m.Thumbnails
	media, columns, rows := t.Single, 1, 1
	if sheets {
		media, columns, rows, from = t.Sheets, t.Columns, t.Rows, 0
	}
	set := mpd.NewAdaptationSet()
	set.Id = mpd.Ptr(id)
	set.ContentType, set.MimeType = "image", "image/jpeg"
	template := mpd.NewSegmentTemplate()
	template.Media = media
	template.Timescale = mpd.Ptr(grid.Timescale())
	template.Duration = mpd.Ptr(uint32(int64(columns*rows) * grid.SegmentFrames * grid.FrameTicks()))
	template.StartNumber = mpd.Ptr(uint32(from))
	set.SegmentTemplate = template
	representation := mpd.NewRepresentation()
	representation.Id, representation.Bandwidth = "thumbnails", 20_000
	representation.Width, representation.Height = uint32(columns*t.TileWidth), uint32(rows*t.TileHeight)
	representation.EssentialProperties = []*mpd.DescriptorType{{SchemeIdUri: tileScheme, Value: fmt.Sprintf("%dx%d", columns, rows)}}
	set.AppendRepresentation(representation)
	return set
}
