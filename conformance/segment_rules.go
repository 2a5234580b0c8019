package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// judgeTimes compares what the MPD says of segments with their decode times (D09).
func (c *Checker) judgeTimes(s set) {
	t, in := s.template, s.track.Init
	offset := 0.0
	if t.PresentationTimeOffset != nil {
		offset = float64(*t.PresentationTimeOffset)
	}
	scale := float64(t.GetTimescale())
	said := s.times()
	for number, chunks := range s.track.Chunks {
		start, length, listed := said(number)
		if !listed {
			continue
		}
		last := chunks[len(chunks)-1]
		real := in.seconds(chunks[0].Start)
		off := math.Abs((start-offset)/scale - real)
		if t.SegmentTimeline != nil {
			exact := off < 0.5/scale && math.Abs(length/scale-in.seconds(last.Start+last.Duration-chunks[0].Start)) < 0.5/scale
			c.Report.Expect("D09", exact, "segment %d of %s is %.6f s off its S", number, s.representation.Id, off)
			continue
		}
		c.Report.Expect("D09", off <= 0.5*length/scale, "segment %d of %s is %.3f s off", number, s.representation.Id, off)
	}
}

// times gives start and duration of a segment by its number, in the template's
// timescale.
func (s set) times() func(number int64) (start, length float64, listed bool) {
	t := s.template
	first := int64(1)
	if t.StartNumber != nil {
		first = int64(*t.StartNumber)
	}
	if t.SegmentTimeline == nil {
		return func(number int64) (float64, float64, bool) {
			if t.Duration == nil {
				return 0, 0, false
			}
			length := float64(*t.Duration)
			return float64(number-first) * length, length, true
		}
	}
	listed := map[int64][2]float64{}
	number, at := first, uint64(0)
	for _, run := range t.SegmentTimeline.S {
		if run.T != nil {
			at = *run.T
		}
		for range run.R + 1 {
			listed[number] = [2]float64{float64(at), float64(run.D)}
			at, number = at+run.D, number+1
		}
	}
	return func(number int64) (float64, float64, bool) {
		times, ok := listed[number]
		return times[0], times[1], ok
	}
}

// heldFor tells an answer that waited for the first chunk from one that had it.
const heldFor = 20 * time.Millisecond

// judgeAvailability asks for the next segment of a numbered template when the
// MPD says that it is there, and for the one after it a chunk too early (D06,
// D15). The offset is of the server's clock to ours.
func (c *Checker) judgeAvailability(ctx context.Context, m *manifest, offset time.Duration) {
	for _, s := range m.sets {
		if s.track == nil || s.track.Audio || s.template.Duration == nil || s.track.Init == nil {
			continue
		}
		length := time.Duration(float64(*s.template.Duration) / float64(s.template.GetTimescale()) * float64(time.Second))
		ahead := time.Duration(float64(s.template.AvailabilityTimeOffset) * float64(time.Second))
		var chunk time.Duration
		for _, chunks := range s.track.Chunks {
			chunk = time.Duration(s.track.Init.seconds(chunks[0].Duration) * float64(time.Second))
		}
		c.Report.Expect("D06", ahead <= length-chunk, "%s: offset %v of segments of %v in chunks of %v", s.representation.Id, ahead, length, chunk)
		number := int64(time.Duration(time.Now().Add(offset).UnixNano())/length) + 1
		available := time.Unix(0, (number+1)*int64(length)).Add(-ahead).Add(-offset)
		pause(ctx, time.Until(available.Add(-chunk)))
		early := make(chan *Answer, 1)
		go func() { early <- c.Client.Get(ctx, s.url(m, number)) }()
		pause(ctx, time.Until(available))
		edge := c.Client.Get(ctx, s.url(m, number))
		before := <-early
		held := before.OK() && before.Arrivals[0].At.Sub(before.Asked) >= heldFor
		c.Report.Expect("D06", before.Status == http.StatusNotFound || held, "%s a chunk too early", before)
		c.Report.Expect("D06", edge.OK() && edge.First.Sub(available) < atOnce, "%s at its availability time", edge)
		c.Report.Note("D06", "first byte %v after its time", edge.First.Sub(available).Round(time.Millisecond))
		c.judgeTrickle(edge, length, chunk)
		return
	}
}

// judgeTrickle wants a segment at the edge to come as its chunks do (D15).
func (c *Checker) judgeTrickle(edge *Answer, length, chunk time.Duration) {
	if !edge.OK() {
		return
	}
	bursts, last := 0, time.Time{}
	for _, arrival := range edge.Arrivals {
		if arrival.At.Sub(last) > chunk/4 {
			bursts++
		}
		last = arrival.At
	}
	wanted := int(length/chunk) - 3
	c.Report.Expect("D15", bursts >= wanted, "%s came in %d bursts", edge.URL, bursts)
	c.Report.Expect("D15", edge.Chunked || !strings.HasPrefix(edge.Proto, "HTTP/1"), "%s has no chunked transfer", edge.URL)
	c.Report.Note("D15", "%d bursts in %v over %s", bursts, edge.Spread().Round(time.Millisecond), edge.Proto)
}

func (s set) url(m *manifest, number int64) string {
	name := strings.NewReplacer("$RepresentationID$", s.representation.Id, "$Number$", strconv.FormatInt(number, 10)).Replace(s.template.Media)
	return resolve(m.URL, name)
}

// judgeUpdate compares with a later MPD (D16).
func (c *Checker) judgeUpdate(ctx context.Context, before *manifest) {
	pause(ctx, 2*time.Second)
	after := c.fetchManifest(ctx)
	if after == nil {
		c.Report.Expect("D16", false, "%s was not answered again", c.Manifest)
		return
	}
	old, errOld := time.Parse(time.RFC3339Nano, string(before.PublishTime))
	now, errNow := time.Parse(time.RFC3339Nano, string(after.PublishTime))
	c.Report.Expect("D16", errOld == nil && errNow == nil && !now.Before(old), "publishTime %s, then %s", before.PublishTime, after.PublishTime)
	for i, s := range before.sets {
		if i >= len(after.sets) || s.template.SegmentTimeline == nil || s.track == nil {
			continue
		}
		was, is := s.times(), after.sets[i].times()
		for number := range s.track.Chunks {
			oldStart, oldLength, inOld := was(number)
			newStart, newLength, inNew := is(number)
			if inOld && inNew {
				same := oldStart == newStart && oldLength == newLength
				c.Report.Expect("D16", same, "segment %d of %s moved", number, s.representation.Id)
			}
		}
	}
	c.Report.Note("D16", "%s", fmt.Sprintf("publishTime %s, then %s", before.PublishTime, after.PublishTime))
}
