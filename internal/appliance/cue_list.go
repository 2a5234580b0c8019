package appliance

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"millrace/api"
	"millrace/internal/appliance/cues"
	"millrace/internal/media"
)

// TimelineEDL implements api.ShowLog.
func (c *channels) TimelineEDL(channel string, from, to time.Time) ([]byte, error) {
	list, err := c.cueList(channel, from, to)
	if err != nil {
		return nil, err
	}
	return list.EDL(), nil
}

// TimelineVTT implements api.ShowLog.
func (c *channels) TimelineVTT(channel string, from, to time.Time) ([]byte, error) {
	list, err := c.cueList(channel, from, to)
	if err != nil {
		return nil, err
	}
	return list.WebVTT(), nil
}

func (c *channels) cueList(channel string, from, to time.Time) (cues.List, error) {
	t, err := c.Timeline(channel, from, to)
	if err != nil {
		return cues.List{}, err
	}
	return c.cuesOf(channel, t), nil
}

// cuesOf is a timeline as a row of shots.
func (c *channels) cuesOf(channel string, t api.Timeline) cues.List {
	grid, _ := c.gridOf(channel)
	rate := grid.Rate
	frame := func(at api.Timestamp) int64 { return rate.Index(media.TimeOf(at.Time)-1) + 1 }
	list := cues.List{Title: channel, Rate: rate, Start: frame(t.From), End: frame(t.To)}
	scene := c.sceneBefore(channel, list.Start)
	list.Shots = []cues.Shot{{Frame: list.Start, Name: scene}}
	shoot := func(s cues.Shot) {
		if last := len(list.Shots) - 1; list.Shots[last].Frame == s.Frame {
			list.Shots[last] = s
		} else if s.Frame < list.End {
			list.Shots = append(list.Shots, s)
		}
	}
	gaps, gapEnds := t.Gaps, int64(math.MinInt64)
	pass := func(until int64) { // the gaps that begin before a frame
		for len(gaps) > 0 && frame(gaps[0].Start) < until {
			shoot(cues.Shot{Frame: max(frame(gaps[0].Start), list.Start), Gap: true})
			gapEnds = frame(gaps[0].End)
			gaps = gaps[1:]
			if gapEnds < until {
				shoot(cues.Shot{Frame: gapEnds, Name: scene})
			}
		}
	}
	for _, e := range t.Events {
		switch e.Type {
		case api.ShowEventTypeMark:
			list.Marks = append(list.Marks, cues.Mark{Frame: e.Frame, Text: e.Text})
		case api.ShowEventTypeBlack, api.ShowEventTypeFrozen, api.ShowEventTypeSilent:
			list.Marks = append(list.Marks, cues.Mark{Frame: max(e.Frame, list.Start), Text: findingText(e)})
		case api.ShowEventTypeCut, api.ShowEventTypeAuto:
			pass(e.Frame)
			if scene = e.Program; e.Frame >= gapEnds {
				shoot(cues.Shot{Frame: e.Frame, Name: scene})
			}
		}
	}
	pass(list.End)
	if gapEnds > list.Shots[len(list.Shots)-1].Frame {
		shoot(cues.Shot{Frame: gapEnds, Name: scene})
	}
	return list
}

// sceneBefore is what was on program before a frame, as far as it is known.
func (c *channels) sceneBefore(channel string, frame int64) string {
	grid, _ := c.gridOf(channel)
	at := grid.Rate.At(frame)
	before := c.showLog.between(channel, 0, at)
	for _, e := range slices.Backward(before) {
		if changesProgram(e) && e.Frame < frame {
			return e.Program
		}
	}
	for _, e := range c.showLog.between(channel, at, media.Time(math.MaxInt64)) {
		if changesProgram(e) {
			return cmp.Or(e.Preview, "program") // a cut swaps the two
		}
	}
	p, err := c.find(channel)
	if err != nil {
		return "program"
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return p.onAir.Value.Program
}

func changesProgram(e api.ShowEvent) bool {
	return e.Type == api.ShowEventTypeCut || e.Type == api.ShowEventTypeAuto
}

// findingText is a finding as a mark says it: "black, cam1, 4.2 s".
func findingText(e api.ShowEvent) string {
	text := string(e.Type) + ", " + cmp.Or(e.Source, "program")
	if e.EndFrame > 0 {
		text += fmt.Sprintf(", %.1f s", e.End.Sub(e.Time.Time).Seconds())
	}
	return text
}
