package mpegts

import (
	"bytes"
	"time"

	"millrace/internal/media"
)

const (
	packetSize = 188
	syncByte   = 0x47
	nullPID    = 0x1fff

	heldLimit = 16 << 20 // bytes of unfinished PES packets in one demuxer
)

// Emit takes one access unit. pts and dts are on the sender's 90 kHz clock,
// unwrapped; data is laid out as media.Packet.Data and belongs to the taker.
// A track that changes is a new pointer with the same ID.
type Emit func(track *media.Track, pts, dts time.Duration, key bool, data []byte)

// Stats counts what a demuxer met.
type Stats struct {
	Packets     uint64 // transport packets
	Resyncs     uint64 // losses of the sync byte
	Gaps        uint64 // continuity errors, counting each gap once
	Damaged     uint64 // PES packets dropped: incomplete, oversized, malformed
	Scrambled   uint64 // transport packets that are encrypted
	Sections    uint64 // PAT and PMT sections with a wrong checksum or layout
	Unsupported uint64 // elementary streams of a kind that is not read
}

// Demuxer is the push end: Write takes the stream as it comes, in pieces of
// any size, and calls emit before it returns. One goroutine at a time.
type Demuxer struct {
	emit    Emit
	rest    []byte // the beginning of a packet that is not here yet
	synced  bool
	stats   Stats
	tables  map[uint16]*table
	program program
	streams map[uint16]*stream
	newest  int64 // ticks: DTS of the stream read last, by which others begin to unwrap
	timed   bool  // newest is meaningful
	held    int   // bytes in unfinished PES packets
}

// NewDemuxer reads the first program of a stream.
func NewDemuxer(emit Emit) *Demuxer {
	d := &Demuxer{emit: emit, tables: map[uint16]*table{}, streams: map[uint16]*stream{}}
	d.tables[0] = &table{}
	return d
}

// Stats may be asked for by the goroutine that writes.
func (d *Demuxer) Stats() Stats { return d.stats }

// Write reads the next bytes of the stream. It keeps none of p.
func (d *Demuxer) Write(p []byte) {
	d.rest = append(d.rest, p...)
	used := d.read(d.rest)
	d.rest = append(d.rest[:0], d.rest[used:]...)
}

// Flush emits the access units that only waited for the next to begin, at the
// end of a stream.
func (d *Demuxer) Flush() {
	for _, s := range d.streams {
		if s.open && s.want == 0 {
			s.finish()
		}
	}
}

// read consumes the whole packets at the beginning of p.
func (d *Demuxer) read(p []byte) (used int) {
	for len(p)-used >= packetSize {
		if p[used] != syncByte {
			if d.synced {
				d.synced = false
				d.stats.Resyncs++
			}
		} else if d.synced || len(p)-used > packetSize && p[used+packetSize] == syncByte {
			d.synced = true
			d.packet(p[used : used+packetSize])
			used += packetSize
			continue
		} else if len(p)-used == packetSize {
			return used // one more byte tells whether this is a packet
		}
		next := bytes.IndexByte(p[used+1:], syncByte)
		if next < 0 {
			return len(p)
		}
		used += 1 + next
	}
	return used
}

// packet reads one transport packet (ISO/IEC 13818-1 §2.4.3.2).
func (d *Demuxer) packet(p []byte) {
	d.stats.Packets++
	pid := uint16(p[1]&0x1f)<<8 | uint16(p[2])
	if p[1]&0x80 != 0 || pid == nullPID { // in error: its counter is missed by the next
		return
	}
	if p[3]&0xc0 != 0 {
		d.stats.Scrambled++
		return
	}
	payload := p[4:]
	discontinuity := false
	if p[3]&0x20 != 0 { // adaptation field
		length := int(payload[0])
		if length >= len(payload) {
			return
		}
		discontinuity = length > 0 && payload[1]&0x80 != 0
		payload = payload[1+length:]
	}
	if p[3]&0x10 == 0 || len(payload) == 0 {
		return
	}
	start := p[1]&0x40 != 0
	if t := d.tables[pid]; t != nil {
		if section := t.push(payload, start, p[3]&0x0f); section != nil {
			d.section(pid, section)
		}
		return
	}
	if s := d.streams[pid]; s != nil {
		s.push(payload, start, p[3]&0x0f, discontinuity)
	}
}
