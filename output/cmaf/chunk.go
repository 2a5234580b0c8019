package cmaf

import "millrace/internal/media"

// Chunk is one part of one rendition: a CMAF chunk whose bytes are exactly what
// `K.P.m4s` serves, and whose concatenation over a segment's parts is `K.m4s`.
// It is immutable once emitted.
type Chunk struct {
	Rendition string
	Segment   int64
	Part      int

	Timescale uint32 // units per second of Start and Duration
	Start     int64  // decode time of the first sample since the epoch (tfdt)
	Duration  int64
	Time      media.Time // of Start

	Independent bool // the first sample is an IDR, or audio
	Filler      bool // some of it stands in for a lost worker (brand slat)
	Last        bool // the segment holds no later part

	// KeyBytes is the length of the prefix of Data that ends with the first
	// sample, for I-frame playlists; 0 where that sample is not an IDR picture.
	KeyBytes int
	Data     []byte // styp, prft, moof, mdat
}

// Describe is the chunk as playlists see it.
func (c *Chunk) Describe() Part {
	return Part{
		Start: c.Start, Duration: c.Duration, Independent: c.Independent,
		Bytes: len(c.Data), KeyBytes: c.KeyBytes,
	}
}

// Part describes a stored chunk to playlists. Times are in the rendition's
// timescale.
type Part struct {
	Start, Duration int64
	Independent     bool
	Bytes, KeyBytes int // as in Chunk; KeyBytes is used by I-frame playlists only
}

// Segment describes a stored segment to playlists.
type Segment struct {
	Number int64  // k
	Parts  []Part // in order from part 0 on; a segment without parts is a gap
	// Complete says that no part will be added: all parts are there, or the
	// process that wrote it has ended (a short segment).
	Complete bool
	// InitName is the init section that its parts need, where that is another
	// than the rendition's present one: the channel was set up anew in between, at
	// the same rate. Where the init section of any rendition of the channel
	// changes, each of them has Discontinuity set on its first segment after it.
	InitName      string
	Discontinuity bool
	// Cut says that Parts are not all that is stored: players read them as a byte
	// range that begins at Offset.
	Cut    bool
	Offset int64
	// URI is the segment's name beside the playlist, where it is no stored one.
	URI string
}

// Bytes is the length of the segment so far.
func (s *Segment) Bytes() int64 {
	var n int64
	for i := range s.Parts {
		n += int64(s.Parts[i].Bytes)
	}
	return n
}
