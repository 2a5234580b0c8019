package ingest

import (
	"slices"
	"time"

	"millrace/internal/media"
)

const (
	cacheSpan  = 10 * time.Second
	cacheBytes = 16 << 20
	audioSpan  = time.Second
)

// GOPCache holds every packet since the video keyframe that began the group of
// pictures on screen, audio included, in the order of arrival: what a new
// subscriber needs to show a picture at once. What arrives is due only later, so
// that a new keyframe takes over when its time has come. The cache keeps at most
// 10 s or 16 MiB; a longer group of pictures cannot be joined and is let go until
// the next keyframe. While there is no picture to begin with it keeps the last
// second of audio.
//
// Its owner guards it: it has no lock.
type GOPCache struct {
	packets []*media.Packet
	bytes   int
	keys    []*media.Packet // video keyframes among packets: that on screen, and those not due yet
}

// Write adds the newest packet of the source, which came at now.
func (c *GOPCache) Write(p *media.Packet, now media.Time) {
	if p.Track.Kind == media.Video {
		switch {
		case p.Key:
			c.keys = append(c.keys, p)
		case len(c.keys) == 0:
			return
		}
	}
	c.packets = append(c.packets, p)
	c.bytes += len(p.Data)
	if len(c.keys) == 1 && c.keys[0] == p {
		c.begin(0, now)
	}
	for len(c.keys) > 1 && c.keys[1].PTS <= now {
		c.begin(1, now)
	}
	if c.full(p) && len(c.keys) > 1 {
		c.begin(len(c.keys)-1, now)
	}
	if c.full(p) {
		c.keys = nil
		c.keep(func(p *media.Packet) bool { return p.Track.Kind != media.Video })
	}
	if len(c.keys) == 0 {
		oldest := p.DTS.Add(-audioSpan)
		c.keep(func(p *media.Packet) bool { return p.DTS >= oldest })
		if c.bytes > cacheBytes {
			c.Clear()
		}
	}
}

// full says whether a cache with video holds too much, p being the newest.
func (c *GOPCache) full(p *media.Packet) bool {
	return len(c.keys) > 0 && (c.bytes > cacheBytes || p.DTS.Sub(c.packets[0].DTS) > cacheSpan)
}

// begin drops what is older than one of the keyframes; audio that is yet to
// sound stays.
func (c *GOPCache) begin(index int, now media.Time) {
	c.keys = slices.Delete(c.keys, 0, index)
	key, oldest, older := c.keys[0], min(c.keys[0].PTS, now), true
	c.keep(func(p *media.Packet) bool {
		older = older && p != key
		if p.Track.Kind == media.Video {
			return !older
		}
		return !older || p.PTS >= oldest
	})
}

// keep drops what fails the test.
func (c *GOPCache) keep(test func(*media.Packet) bool) {
	c.packets = slices.DeleteFunc(c.packets, func(p *media.Packet) bool { return !test(p) })
	c.bytes = size(c.packets)
}

// Replay is what the cache holds, oldest first, in a slice of the caller's own.
func (c *GOPCache) Replay() []*media.Packet { return slices.Clone(c.packets) }

// Clear forgets everything.
func (c *GOPCache) Clear() { *c = GOPCache{} }

func size(packets []*media.Packet) (bytes int) {
	for _, p := range packets {
		bytes += len(p.Data)
	}
	return bytes
}
