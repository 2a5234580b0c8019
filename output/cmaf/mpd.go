package cmaf

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"millrace/internal/media"
)

// Window is what of a rendition an MPD may refer to.
type Window struct {
	Rendition *Rendition
	Segments  []Segment // as in MediaPlaylist.Segments
	// Over says of a window of a span that the rendition, or its init section, is
	// used no more after it.
	Over bool
}

// present is the window from where on the rendition's present init section
// holds: a period has one.
func (w Window) present() Window {
	for i := len(w.Segments) - 1; i >= 0; i-- {
		if name := w.Segments[i].InitName; name != "" && name != w.Rendition.InitName {
			return Window{Rendition: w.Rendition, Segments: w.Segments[i+1:]}
		}
	}
	return w
}

// MPD is everything that a DASH manifest of a channel says. Segment k has the
// number k and the decode time k*D, both since availabilityStartTime, the Unix
// epoch: what a client computes from its clock is a segment's name (C11).
//
// A span (Origin) counts from its beginning instead, in a period for each change
// of renditions or of their init sections, and each side of a gap.
type MPD struct {
	// Windows are video in ladder order, then audio. A span may have several of a
	// rendition, in order of time, each with the init section of its Rendition.
	Windows []Window
	// Static makes a presentation of what is there; it does not change.
	Static bool
	// PublishTime is now on the timeline. Two manifests of one instant are equal.
	PublishTime media.Time
	// Depth is how far back clients may seek; less where the windows are shorter.
	Depth time.Duration
	// TimeURL answers with the timeline's time in ISO form: "/time", or absolute.
	TimeURL string
	// Latency is where players should stay behind live; 0 means DefaultLatency.
	Latency time.Duration
	// Origin is when a span begins: time zero of its presentation, the same while it
	// grows and once it has ended, so that it must not move. 0 is the epoch, as live
	// has it. Of a span whole segments only are told, and viewers may be anywhere in
	// it: nothing is said of low latency, for which dash.js would play faster, or go
	// back to the end, once a viewer has moved the video element itself; and no buffer
	// depth, with which the beginning would move away until the next update.
	Origin media.Time
	// Base stands before RENDITION/ in the names of segments; "" or ending in "/".
	Base string
	// Thumbnails are pictures for scrubbing; nil for none.
	Thumbnails *Thumbnails
}

// ErrNoSegments says that a document was asked for before anything was stored.
var ErrNoSegments = errors.New("no segments")

// DefaultLatency suits 200 ms chunks and one segment of jitter.
const DefaultLatency = 3 * time.Second

// productionDelay is what the availability of a chunk is promised to lag behind
// the end of its last frame: compositing, encoding and the store's commit.
const productionDelay = 100 * time.Millisecond

// numberedUpdate is how many segments a manifest that computes them may serve.
const numberedUpdate = 4

const (
	profiles         = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"
	lowLatency       = ",http://www.dashif.org/guidelines/low-latency-live-v5"
	isoTimeScheme    = "urn:mpeg:dash:utc:http-iso:2014"
	epoch            = "1970-01-01T00:00:00Z"
	roleScheme       = "urn:mpeg:dash:role:2011"
	referenceTimeID  = 0 // of the first adaptation set; the others follow
	mpdTimeFormat    = "2006-01-02T15:04:05.000Z07:00"
	minPlaybackRate  = 0.96
	maxPlaybackRate  = 1.04
	resyncChunk      = 0 // a box boundary, no random access
	resyncClosedGOP  = 2 // SAP type 1 or 2
	startWithSAPType = 1
)

// Marshal writes the manifest. It fails only where no window has a segment, of
// which nothing can be said.
func (m *MPD) Marshal() ([]byte, error) {
	present := *m
	present.Windows = nil
	for _, w := range m.Windows {
		if w = w.present(); len(w.Segments) > 0 {
			present.Windows = append(present.Windows, w)
		}
	}
	if len(present.Windows) == 0 {
		return nil, fmt.Errorf("write MPD: %w", ErrNoSegments)
	}
	return present.marshal()
}

func (m *MPD) marshal() ([]byte, error) {
	kind := mpd.DYNAMIC_TYPE
	if m.Static {
		kind = mpd.STATIC_TYPE
	}
	out := mpd.NewMPD(kind)
	out.Profiles = profiles
	grid := m.Windows[0].Rendition.Grid
	out.MinBufferTime = duration(time.Duration(grid.Rate.At(grid.GOPFrames())))
	out.MaxSegmentDuration = duration(grid.SegmentDuration() + accessUnitMax)
	start, end := m.span()
	switch {
	case m.Static:
		if m.Origin == 0 {
			m.Origin = start
		}
		out.MediaPresentationDuration = duration(end.Sub(m.Origin))
	case m.atEdge():
		m.describeEdge(out, start)
	default:
		m.describeSpan(out, start)
	}
	runs := m.runs()
	for i := range runs {
		period := m.period(&runs[i])
		if m.Thumbnails != nil {
			from := int64(0)
			if !m.atEdge() {
				from = grid.SegmentAt(runs[i].start)
			}
			period.AppendAdaptationSet(m.thumbnailSet(uint32(len(period.AdaptationSets)), from, m.Static && len(runs) == 1))
		}
		out.AppendPeriod(period)
	}
	text, err := out.WriteToString("  ", true)
	if err != nil {
		return nil, fmt.Errorf("write MPD: %w", err)
	}
	return append(lostFirst([]byte(text)), '\n'), nil
}

// atEdge says that viewers follow the live edge.
func (m *MPD) atEdge() bool { return !m.Static && m.Origin == 0 }

// accessUnitMax is how much longer than the grid's an audio segment can be.
const accessUnitMax = 22 * time.Millisecond

func duration(d time.Duration) *mpd.Duration {
	rounded := mpd.Duration(d.Round(time.Millisecond))
	return &rounded
}

// span is from the earliest start to the latest end of what is stored.
func (m *MPD) span() (start, end media.Time) {
	for _, w := range m.Windows {
		first, _ := w.Rendition.Extent(&w.Segments[0])
		_, last := w.Rendition.Extent(&w.Segments[len(w.Segments)-1])
		from, to := w.Rendition.Time(first), w.Rendition.Time(last)
		if end == 0 || from < start {
			start = from
		}
		end = max(end, to)
	}
	return start, end
}

// describeClock says what a client needs to know of the time.
func (m *MPD) describeClock(out *mpd.MPD) {
	grid := m.Windows[0].Rendition.Grid
	out.PublishTime = mpd.DateTime(m.PublishTime.UTC().Format(mpdTimeFormat))
	out.MinimumUpdatePeriod = duration(time.Duration(grid.Rate.At(grid.GOPFrames()))) // to hear of the next segment
	out.UTCTimings = []*mpd.DescriptorType{{SchemeIdUri: isoTimeScheme, Value: m.TimeURL}}
	// The timeline counts as UTC reads, without leap seconds: no correction.
	out.LeapSecondInformation = &mpd.LeapSecondInformationType{}
}

// describeEdge says what a client needs to find the live edge, and how close to
// stay to it.
func (m *MPD) describeEdge(out *mpd.MPD, start media.Time) {
	latency := m.Latency
	if latency == 0 {
		latency = DefaultLatency
	}
	m.describeClock(out)
	out.Profiles += lowLatency
	out.AvailabilityStartTime = epoch
	if m.numbered() {
		out.MinimumUpdatePeriod = duration(numberedUpdate * m.Windows[0].Rendition.Grid.SegmentDuration())
	}
	out.TimeShiftBufferDepth = duration(max(min(m.Depth, m.PublishTime.Sub(start)), 0))
	out.SuggestedPresentationDelay = duration(latency)
	milliseconds := uint32(latency.Milliseconds())
	out.ServiceDescription = []*mpd.ServiceDescriptionType{{
		Latencies: []*mpd.LatencyType{{
			ReferenceId: referenceTimeID, Target: mpd.Ptr(milliseconds),
			Min: mpd.Ptr(milliseconds / 2), Max: mpd.Ptr(milliseconds * 2),
		}},
		PlaybackRates: []*mpd.PlaybackRateType{{Min: minPlaybackRate, Max: maxPlaybackRate}},
	}}
}

// appendSets adds one adaptation set for each codec of the video ladder, among whose
// rungs players may switch, or one for each audio rendition.
func (m *MPD) appendSets(period *mpd.Period, run *run, kind media.Kind) {
	byCodec := map[media.Codec]*mpd.AdaptationSetType{}
	for i := range run.windows {
		w := &run.windows[i]
		r := w.Rendition
		if r.Track.Kind != kind {
			continue
		}
		set := byCodec[r.Track.Codec]
		if set == nil || kind == media.Audio {
			set = m.newSet(uint32(len(period.AdaptationSets)), w)
			byCodec[r.Track.Codec] = set
			period.AppendAdaptationSet(set)
		}
		representation := mpd.NewRepresentation()
		representation.Id, representation.Bandwidth, representation.Codecs = r.ID, uint32(r.Bandwidth), r.Codec
		if kind == media.Video {
			representation.Width, representation.Height, representation.Sar = uint32(r.Width), uint32(r.Height), "1:1"
			set.MaxWidth, set.MaxHeight = max(set.MaxWidth, uint32(r.Width)), max(set.MaxHeight, uint32(r.Height))
		}
		representation.SegmentTemplate = m.template(w, run.start)
		set.AppendRepresentation(representation)
	}
}

func (m *MPD) newSet(id uint32, w *Window) *mpd.AdaptationSetType {
	r := w.Rendition
	set := mpd.NewAdaptationSet()
	set.Id = mpd.Ptr(id)
	set.ContentType = mpd.RFC6838ContentTypeType(r.Track.Kind.String())
	set.MimeType = r.Track.Kind.String() + "/mp4"
	set.SegmentAlignment = true
	set.StartWithSAP = startWithSAPType
	set.Roles = []*mpd.DescriptorType{{SchemeIdUri: roleScheme, Value: "main"}}
	if r.Track.Kind == media.Video {
		set.FrameRate = mpd.FrameRateType(r.Grid.Rate.String())
	} else {
		set.Lang = r.Language
		rate := mpd.UIntVectorType(strconv.Itoa(r.Track.SampleRate))
		set.AudioSamplingRate = &rate
		set.AudioChannelConfigurations = []*mpd.DescriptorType{{
			SchemeIdUri: mpd.AUDIO_CHANNEL_CONFIGURATION_CICP, Value: strconv.Itoa(r.Track.Channels),
		}}
	}
	if !m.atEdge() {
		return set
	}
	last := &w.Segments[len(w.Segments)-1]
	start, _ := r.Span(last.Number)
	set.ProducerReferenceTimes = []*mpd.ProducerReferenceTimeType{{
		Id: referenceTimeID + id, Inband: true, Type: "encoder",
		WallClockTime:    r.Time(start).Add(time.Millisecond / 2).UTC().Format(mpdTimeFormat),
		PresentationTime: uint64(start),
		UTCTiming:        &mpd.DescriptorType{SchemeIdUri: isoTimeScheme, Value: m.TimeURL},
	}}
	partTicks := r.partTarget() * int64(r.Timescale()) / 1_000_000
	set.Resyncs = []*mpd.ResyncType{{Type: resyncChunk, DT: mpd.Ptr(uint32(partTicks)), Marker: true}}
	if r.Track.Kind == media.Video {
		gop := uint32(r.Grid.GOPFrames() * r.UnitTicks())
		set.Resyncs = append(set.Resyncs, &mpd.ResyncType{Type: resyncClosedGOP, DT: &gop, Marker: true})
	}
	return set
}

// numbered says that segments are told by @duration alone: nothing has an end,
// and a segment is a whole number of ticks in every rendition.
func (m *MPD) numbered() bool {
	for _, w := range m.Windows {
		if _, whole := w.Rendition.wholeSegment(); !whole {
			return false
		}
	}
	return m.atEdge()
}

// template names segments by number, with a timeline where @duration is not exact.
// The period begins at start.
func (m *MPD) template(w *Window, start media.Time) *mpd.SegmentTemplateType {
	r := w.Rendition
	t := mpd.NewSegmentTemplate()
	t.Initialization = m.Base + "$RepresentationID$/" + r.InitName
	t.Media = m.Base + "$RepresentationID$/$Number$.m4s"
	t.Timescale = mpd.Ptr(r.Timescale())
	if m.atEdge() {
		part := time.Duration(r.partTarget()) * time.Microsecond
		offset := r.Grid.SegmentDuration() - part - productionDelay
		t.AvailabilityTimeOffset = mpd.FloatInf64(float64(offset.Milliseconds()) / 1000)
		t.AvailabilityTimeComplete = mpd.Ptr(false)
	}
	if m.numbered() {
		ticks, _ := r.wholeSegment()
		t.Duration = &ticks
		t.StartNumber = mpd.Ptr(uint32(0))
		return t
	}
	t.StartNumber = mpd.Ptr(uint32(w.Segments[0].Number))
	if !m.atEdge() {
		t.PresentationTimeOffset = mpd.Ptr(uint64(max(start.Ticks(int64(r.Timescale())), 0)))
		t.FailoverContent = w.lost()
	}
	t.SegmentTimeline = w.timeline()
	return t
}

// wholeSegment is the duration of every segment in units of the timescale,
// where the grid makes it a whole number.
func (r *Rendition) wholeSegment() (ticks uint32, ok bool) {
	units := r.Grid.SegmentFrames * r.Grid.Rate.Den * int64(r.Timescale())
	return uint32(units / r.Grid.Rate.Num), units%r.Grid.Rate.Num == 0
}

// timeline lists the real times of each segment (D09). Numbers count on through
// it, so missing ones stand there with their nominal times, and so does what is
// left to come of the last.
func (w *Window) timeline() *mpd.SegmentTimelineType {
	list := &mpd.SegmentTimelineType{}
	var expected int64
	playlist := MediaPlaylist{Rendition: w.Rendition, Segments: w.Segments}
	for e := range playlist.entries {
		if e.segment != nil && !e.segment.Complete {
			start, length := w.Rendition.Span(e.number)
			e.end = start + length
		}
		length := uint64(e.end - e.start)
		if n := len(list.S); n > 0 && e.start == expected && list.S[n-1].D == length {
			list.S[n-1].R++
		} else {
			s := &mpd.S{D: length}
			if n == 0 || e.start != expected {
				s.T = mpd.Ptr(uint64(e.start))
			}
			list.S = append(list.S, s)
		}
		expected = e.end
	}
	return list
}

// TimeText is the body of the document that http-iso timing reads (D02).
func TimeText(t media.Time) string { return t.UTC().Format(mpdTimeFormat) }
