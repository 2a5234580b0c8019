package cmaf

import "strconv"

// IFramePlaylist lists the scheduled IDRs of a video rendition, each as a byte
// range of its whole segment that holds the boxes before it and no other
// picture (draft-pantos-hls-rfc8216bis-22 §4.4.3.6). Every segment has the same
// number of them, so that I-frame i of segment k has the number k*2+i for ever;
// IDRs that a viewer asked for are not listed.
type IFramePlaylist struct{ MediaPlaylist }

// Marshal writes the whole playlist.
func (p *IFramePlaylist) Marshal() []byte { return p.Append(nil) }

// Append writes the whole playlist behind dst.
func (p *IFramePlaylist) Append(dst []byte) []byte { return p.appendFrom(dst, 0) }

// AppendDelta answers _HLS_skip, as MediaPlaylist.AppendDelta does.
func (p *IFramePlaylist) AppendDelta(dst []byte) []byte { return p.appendFrom(dst, p.Skippable()) }

// LastNumber is the highest number listed, or -1.
func (p *IFramePlaylist) LastNumber() int64 {
	for i := len(p.Segments) - 1; i >= 0; i-- {
		if p.Segments[i].Complete {
			return (p.Segments[i].Number+1)*gopsPerSegment - 1
		}
	}
	return -1
}

// Skippable is how many I-frames, gaps included, a delta update leaves out.
func (p *IFramePlaylist) Skippable() int {
	if !p.LowLatency || p.Ended {
		return 0
	}
	var end int64
	for i := range p.Segments {
		if p.Segments[i].Complete {
			_, end = p.Rendition.Extent(&p.Segments[i])
		}
	}
	boundary := end - int64(skipTargets*p.Rendition.Grid.TargetDuration())*int64(p.Rendition.Timescale())
	n := 0
	for frame := range p.frames {
		if frame.end > boundary {
			break
		}
		n++
	}
	return n
}

// keyFrame is one I-frame of the list. Its bytes are empty where it is not stored.
type keyFrame struct {
	segment        int64
	start, end     int64 // decode times: it is shown until the next one
	offset, length int64 // bytes in the segment
	init           string
	discontinuity  bool
}

// frames yields every I-frame of the window's complete segments.
func (p *IFramePlaylist) frames(yield func(keyFrame) bool) {
	for e := range p.entries {
		if e.segment != nil && !e.segment.Complete {
			return
		}
		for gop := range gopsPerSegment {
			if !yield(p.keyFrame(e, gop)) {
				return
			}
		}
	}
}

func (p *IFramePlaylist) keyFrame(e entry, gop int) keyFrame {
	r := p.Rendition
	first := r.FirstUnit(e.number, gop*partsPerGOP) * r.UnitTicks()
	frame := keyFrame{init: e.init, segment: e.number, start: first, end: first + r.Grid.GOPFrames()*r.UnitTicks()}
	if e.segment == nil || len(e.segment.Parts) <= gop*partsPerGOP {
		return frame
	}
	frame.discontinuity = gop == 0 && e.segment.Discontinuity
	for part := range gop * partsPerGOP {
		frame.offset += int64(e.segment.Parts[part].Bytes)
	}
	frame.length = int64(e.segment.Parts[gop*partsPerGOP].KeyBytes)
	frame.end = min(frame.end, e.end)
	return frame
}

func (p *IFramePlaylist) appendFrom(dst []byte, skip int) []byte {
	dst = p.appendIFrameHeader(dst, skip)
	index, previous := 0, keyFrame{}
	for frame := range p.frames {
		if index >= skip {
			dst = p.appendFrame(dst, frame, previous, index)
		}
		previous = frame
		index++
	}
	if p.Ended {
		dst = append(dst, "#EXT-X-ENDLIST\n"...)
	}
	return dst
}

func (p *IFramePlaylist) appendIFrameHeader(dst []byte, skip int) []byte {
	version := versionMapWithIFrames
	if skip > 0 {
		version = versionSkip
	}
	dst = appendTag(dst, "#EXTM3U\n#EXT-X-VERSION:", int64(version))
	dst = appendTag(dst, "#EXT-X-TARGETDURATION:", int64(p.Rendition.Grid.TargetDuration()))
	if p.LowLatency {
		dst = p.appendServerControl(dst)
	}
	var first int64
	if len(p.Segments) > 0 {
		first = p.Segments[0].Number * gopsPerSegment
	}
	dst = appendTag(dst, "#EXT-X-MEDIA-SEQUENCE:", first)
	dst = appendTag(dst, "#EXT-X-DISCONTINUITY-SEQUENCE:", p.DiscontinuitySequence)
	dst = p.appendType(dst)
	dst = append(dst, "#EXT-X-I-FRAMES-ONLY\n#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	if skip > 0 {
		dst = appendTag(dst, "#EXT-X-SKIP:SKIPPED-SEGMENTS=", int64(skip))
	}
	return dst
}

func (p *IFramePlaylist) appendFrame(dst []byte, frame, previous keyFrame, index int) []byte {
	broken := index > 0 && (frame.init != previous.init || frame.discontinuity)
	if broken {
		dst = append(dst, "#EXT-X-DISCONTINUITY\n"...)
	}
	if frame.init != previous.init {
		dst = p.appendMap(dst, frame.init)
	}
	if index == 0 || broken || frame.start != previous.end || previous.length == 0 && frame.length > 0 {
		dst = p.appendDateTime(dst, frame.start)
	}
	if frame.length == 0 {
		dst = append(dst, "#EXT-X-GAP\n"...)
	}
	dst = append(dst, "#EXTINF:"...)
	dst = p.appendDuration(dst, frame.start, frame.end)
	dst = append(dst, ",\n"...)
	if frame.length > 0 {
		dst = append(dst, "#EXT-X-BYTERANGE:"...)
		dst = strconv.AppendInt(dst, frame.length, 10)
		dst = append(dst, '@')
		dst = append(strconv.AppendInt(dst, frame.offset, 10), '\n')
	}
	return p.appendSegmentName(dst, frame.segment)
}
