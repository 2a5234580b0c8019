package worker

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"millrace/internal/media"
)

// line is the timeline of one rendition: frames of video or access units of
// audio, each with its number. The Continuity that owns it guards it.
type line struct {
	id     string
	track  *media.Track // of the first worker, for the channel's life
	rate   media.Rate
	gop    int64
	grid   AudioGrid // audio only
	filler []Filler
	sets   *parameterSets // of H.264 only

	next    int64     // number of the next access unit
	start   int64     // number at which the attached worker begins
	running bool      // a worker carries the line
	without bool      // the attached worker has no encoder for it
	passed  time.Time // when its last packet passed, or it was told to begin
	filled  int64

	// How the filler goes on, and what it must not repeat.
	filling  bool   // the last access unit was filler
	variant  int    // of the last filler GOP
	position int    // in it
	lastIDR  []byte // the last access unit, if it was an IDR
}

func newLine(rendition Rendition, rate media.Rate, gop, first int64) (*line, error) {
	l := &line{id: rendition.ID, track: rendition.Track, rate: rate, gop: gop, filler: rendition.Filler}
	variants, units := 1, int64(1)
	if l.video() {
		variants, units = 2, gop
		if err := l.readSets(); err != nil {
			return nil, err
		}
	} else if grid, ok := GridOf(l.track.Codec); ok {
		l.grid = grid
	} else {
		return nil, fmt.Errorf("sound as %q has no grid", l.track.Codec)
	}
	l.next = l.begin(first)
	if len(l.filler) < variants {
		return nil, fmt.Errorf("%d variants, needed %d", len(l.filler), variants)
	}
	for _, variant := range l.filler {
		if int64(len(variant)) < units {
			return nil, fmt.Errorf("%d access units, needed %d", len(variant), units)
		}
		if slices.ContainsFunc(variant, func(unit []byte) bool { return len(unit) == 0 }) {
			return nil, errors.New("an empty access unit")
		}
	}
	if l.video() && l.sameIDR(l.filler[0][0], l.filler[1][0]) {
		return nil, errors.New("both variants have the same idr_pic_id")
	}
	return l, nil
}

// readSets takes what of a video's configuration matters to who changes its
// encoder. The IDRs of HEVC and AV1 have no id that might be the same, and each
// of them has one encoder only.
func (l *line) readSets() (err error) {
	switch {
	case l.track.Codec == media.H264:
		l.sets, err = parseAVCC(l.track.Config)
	case len(l.track.Config) == 0:
		err = errors.New("no parameter sets")
	}
	return err
}

func (l *line) video() bool { return l.track.Kind == media.Video }

// begin is the number of the first access unit of a timeline that starts at a
// frame.
func (l *line) begin(frame int64) int64 {
	if l.video() {
		return frame
	}
	return l.grid.First(l.rate, frame)
}

// at is when an access unit begins.
func (l *line) at(number int64) media.Time {
	if l.video() {
		return l.rate.At(number)
	}
	return l.grid.At(number)
}

// second is how many access units begin within a second, rounded up.
func (l *line) second() int64 {
	if l.video() {
		return (l.rate.Num + l.rate.Den - 1) / l.rate.Den
	}
	return AudioHz/int64(l.grid) + 1
}

// due is when the next access unit becomes filler.
func (l *line) due() media.Time { return l.at(l.next) }

// number is the access unit that begins at t; false when none does.
func (l *line) number(t media.Time) (int64, bool) {
	if t < 0 || t > 1<<62 {
		return 0, false
	}
	if !l.video() {
		return l.grid.Number(t)
	}
	number := l.rate.Index(t)
	return number, l.at(number) == t
}

// packet is the next access unit, with the exact times of its number.
func (l *line) packet(data []byte, key, filler bool) *media.Packet {
	begin := l.at(l.next)
	packet := &media.Packet{
		Track: l.track, PTS: begin, DTS: begin, Duration: l.at(l.next + 1).Sub(begin),
		Key: key, Filler: filler, Data: data,
	}
	l.next++
	l.lastIDR = nil
	if key && l.video() {
		l.lastIDR = data
	}
	return packet
}

// await says with which access unit the attached worker begins.
func (l *line) await(start int64) {
	l.start, l.passed, l.running, l.without = start, time.Now(), false, false
}

// withdraw says that the attached worker does not carry the line.
func (l *line) withdraw() { l.running, l.without = false, true }

// pass is a worker's packet as the next access unit.
func (l *line) pass(packet *media.Packet) *media.Packet {
	l.filling = false
	l.passed = time.Now()
	return l.packet(packet.Data, packet.Key || !l.video(), false)
}

// fill is filler as the next access unit.
func (l *line) fill() *media.Packet {
	defer func() { l.filling, l.filled = true, l.filled+1 }()
	if !l.video() {
		l.position = (l.position + 1) % len(l.filler[0])
		return l.packet(l.filler[0][l.position], true, true)
	}
	key := !l.filling || l.next%l.gop == 0
	if key {
		l.variant, l.position = l.otherVariant(), 0
	} else {
		l.position++
	}
	return l.packet(l.filler[l.variant][l.position], key, true)
}

// otherVariant is the filler for a new GOP: not the one of the last, and never
// one whose IDR has the idr_pic_id of an IDR just before.
func (l *line) otherVariant() int {
	other := 1 - l.variant
	if l.lastIDR != nil && l.sameIDR(l.lastIDR, l.filler[other][0]) {
		return l.variant
	}
	return other
}

// sameIDR says whether both access units are IDRs with one idr_pic_id.
func (l *line) sameIDR(a, b []byte) bool {
	if l.sets == nil {
		return false
	}
	idA, okA := l.sets.idrPicID(a)
	idB, okB := l.sets.idrPicID(b)
	return okA && okB && idA == idB
}

// compatible says whether another worker's rendition fits the track of the
// first: the same stream, described by parameter sets that the init section
// already lists.
func (l *line) compatible(rendition Rendition) error {
	one, other := l.track, rendition.Track
	switch {
	case l.id != rendition.ID:
		return fmt.Errorf("is %q now", rendition.ID)
	case !sameFormat(one, other):
		return errors.New("has another codec or format now")
	case bytes.Equal(one.Config, other.Config):
		return nil
	case l.sets == nil:
		return errors.New("has another configuration now")
	}
	sets, err := parseAVCC(other.Config)
	if err != nil {
		return err
	}
	for _, unit := range sets.units {
		if !slices.ContainsFunc(l.sets.units, func(known []byte) bool { return bytes.Equal(known, unit) }) {
			return errors.New("has parameter sets now that the init section does not list")
		}
	}
	return nil
}
