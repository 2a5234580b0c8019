package appliance

import (
	"maps"
	"math"
	"sync"

	"millrace/ingest"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// sizes knows how large each source is shown, in all channels: a guest who sends
// several sizes is taken in the one that fits.
type sizes struct {
	mu        sync.Mutex
	byChannel map[string]map[string]ingest.Size // then by source
}

// unseen is the size of a source that no scene on program or preview shows.
var unseen = ingest.Size{Width: 1, Height: 1}

// set takes the sizes of one channel, none when it is off, and tells of every
// source that this concerns.
func (s *sizes) set(channel string, bySource map[string]ingest.Size, tell func(source string, size ingest.Size)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byChannel == nil {
		s.byChannel = map[string]map[string]ingest.Size{}
	}
	before := s.byChannel[channel]
	if maps.Equal(before, bySource) {
		return
	}
	s.byChannel[channel] = bySource
	concerned := maps.Clone(before)
	if concerned == nil {
		concerned = map[string]ingest.Size{}
	}
	maps.Copy(concerned, bySource)
	for source := range concerned {
		size := unseen
		for _, of := range s.byChannel {
			size = larger(size, of[source])
		}
		tell(source, size)
	}
}

func larger(a, b ingest.Size) ingest.Size {
	return ingest.Size{Width: max(a.Width, b.Width), Height: max(a.Height, b.Height)}
}

// sizesOf is how many pixels each source of a show has on program or preview.
func sizesOf(show worker.Show, program, preview string) map[string]ingest.Size {
	list := make(map[string]ingest.Size, len(show.Sources))
	for _, source := range show.Sources {
		list[source.ID] = unseen
	}
	for _, s := range show.Scenes {
		if s.ID != program && s.ID != preview {
			continue
		}
		for _, p := range s.Placements(show.Canvas.Width, show.Canvas.Height) {
			if size, known := list[p.Source]; known {
				list[p.Source] = larger(size, pixelsOf(p, show.Canvas))
			}
		}
	}
	return list
}

// pixelsOf is how many pixels of the whole picture a placement shows.
func pixelsOf(p scene.Placement, canvas worker.Canvas) ingest.Size {
	crop := p.Crop
	if crop.W <= 0 || crop.H <= 0 {
		crop = scene.Rect{W: 1, H: 1}
	}
	return ingest.Size{
		Width:  int(math.Ceil(p.Rect.W * float64(canvas.Width) / crop.W)),
		Height: int(math.Ceil(p.Rect.H * float64(canvas.Height) / crop.H)),
	}
}

// size tells the sources of a channel how large they are shown with these
// scenes.
func (c *channels) size(p *program, onProgram, onPreview string) {
	show := c.show(p)
	c.sizes.set(show.Channel, sizesOf(show, onProgram, onPreview), c.tellSize)
}

func (c *channels) tellSize(source string, size ingest.Size) {
	if feed := c.sources.feed(source); feed != nil {
		feed.SetWanted(size)
	}
}
