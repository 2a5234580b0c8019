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

// GOPCache holds every packet since a source's last video keyframe, audio
// included, in the order of arrival: what a new subscriber needs to show a
// picture at once. It keeps at most 10 s or 16 MiB; a longer group of pictures
// cannot be joined and is let go until the next keyframe. While there is no
// picture to begin with it keeps the last second of audio.
//
// Its owner guards it: it has no lock.
type GOPCache struct {
	packets []*media.Packet
	bytes   int
	video   bool // packets begin with a keyframe
}

// Write adds the newest packet of the source.
func (c *GOPCache) Write(p *media.Packet) {
	if p.Track.Kind == media.Video {
		if p.Key {
			c.begin(p)
		} else if !c.video {
			return
		}
	}
	c.packets = append(c.packets, p)
	c.bytes += len(p.Data)
	if c.video && (c.bytes > cacheBytes || p.DTS.Sub(c.packets[0].DTS) > cacheSpan) {
		c.video = false
		c.keep(func(p *media.Packet) bool { return p.Track.Kind != media.Video })
	}
	if !c.video {
		oldest := p.DTS.Add(-audioSpan)
		c.keep(func(p *media.Packet) bool { return p.DTS >= oldest })
		if c.bytes > cacheBytes {
			c.Clear()
		}
	}
}

// begin makes room for a keyframe; audio that sounds with it stays.
func (c *GOPCache) begin(key *media.Packet) {
	audio := slices.DeleteFunc(slices.Clone(c.packets), func(p *media.Packet) bool {
		return p.Track.Kind == media.Video || p.PTS < key.PTS
	})
	c.Clear()
	c.video = true
	c.packets, c.bytes = audio, size(audio)
}

// keep drops from the front of a cache without video what fails the test.
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
