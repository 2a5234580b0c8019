package appliance

import (
	"encoding/json"
	"fmt"
	"os"

	"millrace/api"
	"millrace/internal/media"
	"millrace/output/origin"
)

// packageManifest says what lies in a recording's package, and when it was.
type packageManifest struct {
	Recording api.Recording  `json:"recording"`
	Rate      string         `json:"rate"`  // of the program: frames a second
	First     int64          `json:"first"` // frame of the program's first picture, counted since the epoch
	Start     api.Timestamp  `json:"start"` // of that
	Program   string         `json:"program"`
	Timeline  string         `json:"timeline"`
	EDL       string         `json:"edl"`
	Chapters  string         `json:"chapters"`
	ISO       []isoInPackage `json:"iso"`
}

// isoInPackage is one file of a source. OffsetNs is where its time 0 lies after
// the program's first picture; below 0 before it.
type isoInPackage struct {
	Path     string `json:"path"`
	Source   string `json:"source"`
	OffsetNs int64  `json:"offsetNs"`
}

// packageOf is everything of a recording that has ended, but for its program.
func (c *channels) packageOf(r storedRecording) ([]origin.Enclosed, error) {
	grid, _ := c.gridOf(r.Channel)
	start, end := grid.SegmentTime(r.From), grid.SegmentTime(r.To)
	t := api.Timeline{From: stamp(start), To: stamp(end), Events: c.showLog.between(r.Channel, start, end)}
	t.Ranges, t.Gaps = c.ranges(r.Channel, start, end)
	cues := c.cuesOf(r.Channel, t)
	if cues.Title = r.Name; cues.Title == "" {
		cues.Title = r.ID
	}
	manifest := packageManifest{
		Recording: c.viewRecording(r), Rate: grid.Rate.String(), First: grid.SegmentStart(r.From), Start: stamp(start),
		Program: origin.ProgramName, Timeline: "timeline.json", EDL: "program.edl", Chapters: "chapters.vtt", ISO: []isoInPackage{},
	}
	var films []origin.Enclosed
	for _, source := range manifest.Recording.Iso {
		for _, file := range source.Files {
			path := "iso/" + file.Name
			info, err := c.iso.inspect(c.iso.existing(r.Channel, r.ID) + "/" + file.Name)
			if err != nil {
				return nil, fmt.Errorf("package recording: %w", err)
			}
			manifest.ISO = append(manifest.ISO, isoInPackage{path, source.Source, int64(info.Start - media.Time(start))})
			films = append(films, origin.Enclosed{
				Name: path, Size: info.Bytes, Open: func() (*os.File, error) { return c.iso.open(r, file.Name) },
			})
		}
	}
	head, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("package recording: %w", err)
	}
	log, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("package recording: %w", err)
	}
	return append([]origin.Enclosed{
		{Name: "manifest.json", Data: head}, {Name: manifest.Timeline, Data: log},
		{Name: manifest.EDL, Data: cues.EDL()}, {Name: manifest.Chapters, Data: cues.WebVTT()},
	}, films...), nil
}
