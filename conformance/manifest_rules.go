package main

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// timeSchemes are what low-latency clients read (D02).
var timeSchemes = []string{
	"urn:mpeg:dash:utc:http-xsdate:2014", "urn:mpeg:dash:utc:http-iso:2014", "urn:mpeg:dash:utc:http-ntp:2014",
}

// manifest is an MPD as it was received.
type manifest struct {
	*Answer
	*mpd.MPD
	sets []set
}

// set is a representation with what it inherits.
type set struct {
	*mpd.AdaptationSetType
	representation *mpd.RepresentationType
	template       *mpd.SegmentTemplateType
	track          *Track // the same media in HLS; nil when there is none
}

// judgeManifest fetches the MPD and judges it beside the media already read.
func (c *Checker) judgeManifest(ctx context.Context) {
	if c.Manifest == "none" {
		return
	}
	m := c.fetchManifest(ctx)
	if m == nil || m.GetType() != mpd.DYNAMIC_TYPE {
		c.Report.NotYet("D03", "no dynamic MPD at "+c.Manifest)
		return
	}
	c.judgeSchema(ctx, m)
	c.judgeFrame(m)
	offset := c.judgeClock(ctx, m)
	for _, s := range m.sets {
		c.judgeSet(m, s)
	}
	c.judgeAvailability(ctx, m, offset)
	c.judgeUpdate(ctx, m)
}

func (c *Checker) fetchManifest(ctx context.Context) *manifest {
	answer := c.Client.Get(ctx, c.Manifest)
	if !answer.OK() {
		return nil
	}
	parsed, err := mpd.MPDFromBytes(answer.Body)
	if !c.Report.Expect("C11", err == nil, "%s: %v", c.Manifest, err) {
		return nil
	}
	m := &manifest{Answer: answer, MPD: parsed}
	for _, period := range parsed.Periods {
		for _, adaptation := range period.AdaptationSets {
			for _, representation := range adaptation.Representations {
				s := set{AdaptationSetType: adaptation, representation: representation, template: representation.GetSegmentTemplate()}
				s.track = c.trackOf(s)
				m.sets = append(m.sets, s)
			}
		}
	}
	return m
}

// trackOf finds the HLS track whose segments a representation shares.
func (c *Checker) trackOf(s set) *Track {
	if s.template == nil {
		return nil
	}
	init := resolve(c.Manifest, strings.ReplaceAll(s.template.Initialization, "$RepresentationID$", s.representation.Id))
	for _, t := range c.media() {
		if len(t.Versions) == 0 || len(t.newest().Playlist.Segments) == 0 {
			continue
		}
		segments := t.newest().Playlist.Segments
		if resolve(t.URL, segments[len(segments)-1].Map) == init {
			return t
		}
	}
	return nil
}

// judgeFrame judges what stands outside adaptation sets.
func (c *Checker) judgeFrame(m *manifest) {
	c.Report.Expect("C11", len(m.Periods) == 1, "%d periods", len(m.Periods))
	c.Report.Expect("C11", strings.HasPrefix(string(m.AvailabilityStartTime), "1970-01-01T00:00:00"), "AST %s", m.AvailabilityStartTime)
	c.Report.Expect("C11", len(m.BaseURL) == 0, "a BaseURL")
	for _, period := range m.Periods {
		c.Report.Expect("C11", period.Start != nil && *period.Start == 0, "period start %v", period.Start)
	}
	targets := 0
	for _, service := range m.ServiceDescription {
		for _, latency := range service.Latencies {
			if latency.Target != nil {
				targets++
				c.Report.Note("D03", "target %d ms", *latency.Target)
			}
		}
	}
	c.Report.Expect("D03", targets > 0, "no Latency@target")
	c.Report.Expect("D12", m.LeapSecondInformation != nil, "no LeapSecondInformation")
}

// judgeClock asks the time that the MPD names and returns how far it is ahead
// of this host's (D02).
func (c *Checker) judgeClock(ctx context.Context, m *manifest) time.Duration {
	for _, timing := range m.UTCTimings {
		for _, scheme := range timeSchemes {
			if string(timing.SchemeIdUri) != scheme {
				continue
			}
			answer := c.Client.Get(ctx, resolve(c.Manifest, strings.Fields(timing.Value)[0]))
			at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(answer.Body)))
			if !c.Report.Expect("D02", answer.OK() && err == nil, "%s says %.40q", answer, answer.Body) {
				return 0
			}
			offset := at.Sub(answer.Asked.Add(answer.Done.Sub(answer.Asked) / 2))
			c.Report.Expect("D02", offset.Abs() <= 50*time.Millisecond, "%v from the host clock", offset)
			c.Report.Note("D02", "%v from the host clock", offset.Round(time.Millisecond))
			return offset
		}
	}
	c.Report.Expect("D02", false, "no UTCTiming of %v", timeSchemes)
	return 0
}

func (c *Checker) judgeSet(m *manifest, s set) {
	id := s.representation.Id
	c.Report.Expect("D11", s.SegmentAlignment, "set of %s", id)
	if !c.Report.Expect("C11", s.template != nil, "%s has no SegmentTemplate", id) {
		return
	}
	names := strings.Contains(s.template.Media, "$RepresentationID$") &&
		strings.Contains(s.template.Media, "$Number") != strings.Contains(s.template.Media, "$Time")
	c.Report.Expect("C11", names, "%s is named %s", id, s.template.Media)
	complete := s.template.AvailabilityTimeComplete
	c.Report.Expect("D05", s.template.AvailabilityTimeOffset > 0 && complete != nil && !*complete, "%s: offset %v, complete %v",
		id, s.template.AvailabilityTimeOffset, complete)
	c.Report.Expect("D08", len(s.Resyncs)+len(s.representation.Resyncs) > 0, "%s", id)
	c.judgeReferences(s)
	if s.track == nil || s.track.Init == nil {
		return
	}
	in := s.track.Init
	c.Report.Expect("D10", s.representation.GetCodecs() == in.Codec, "%s: codecs %q, init %q", id, s.representation.GetCodecs(), in.Codec)
	kind := "video"
	if s.track.Audio {
		kind = "audio"
	}
	c.Report.Expect("D10", string(s.ContentType) == kind && s.representation.GetMimeType() == kind+"/mp4", "%s: %s, %s",
		id, s.ContentType, s.representation.GetMimeType())
	c.judgeTimes(s)
	for number, chunks := range s.track.Chunks {
		c.Report.Expect("D07", len(chunks) > 1 && chunks[0].FirstSync, "segment %d of %s has %d chunks", number, id, len(chunks))
	}
}

// judgeReferences compares ProducerReferenceTime with prft (D04).
func (c *Checker) judgeReferences(s set) {
	references := append(s.ProducerReferenceTimes, s.representation.ProducerReferenceTimes...)
	if !c.Report.Expect("D04", len(references) > 0, "%s has no ProducerReferenceTime", s.representation.Id) {
		return
	}
	reference := references[0]
	c.Report.Expect("D04", reference.UTCTiming != nil, "%s: no UTCTiming in it", s.representation.Id)
	kind := string(reference.Type)
	c.Report.Expect("D04", kind == "" || kind == "encoder" || kind == "captured", "%s: type %q", s.representation.Id, kind)
	at, err := time.Parse(time.RFC3339Nano, reference.WallClockTime)
	if !c.Report.Expect("D04", err == nil, "wallClockTime %q", reference.WallClockTime) || s.track == nil || s.track.Init == nil {
		return
	}
	in := s.track.Init
	for _, chunks := range s.track.Chunks {
		wall, ok := chunks[0].wall(in)
		if !ok {
			continue
		}
		ahead := (float64(chunks[0].Start) - float64(reference.PresentationTime)) / float64(in.Timescale)
		frame := in.seconds(chunks[0].Duration) / float64(chunks[0].Samples)
		off := wall.Sub(at).Seconds() - ahead
		c.Report.Expect("D04", math.Abs(off) <= frame, "%s is %.1f ms off prft", s.representation.Id, 1000*off)
	}
}
