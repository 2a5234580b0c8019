package mpegts

import (
	"bytes"
	"encoding/binary"

	"github.com/asticode/go-astits"
)

const streamLimit = 16 // elementary streams of a program that are read

// Descriptor tags (ISO/IEC 13818-1 §2.6, EN 300 468 §6).
const (
	tagRegistration = 0x05
	tagAC3          = 0x6a
	tagEAC3         = 0x7a
	tagExtension    = 0x7f
)

// program watches the tables: the first program that the PAT lists, and the
// streams that its PMT lists now.
type program struct {
	pmt     uint16 // PID; 0: not known yet
	number  uint16
	section []byte // the PMT in force
}

// section takes a whole section of a table's PID.
func (d *Demuxer) section(pid uint16, section []byte) {
	if pid == 0 {
		d.pat(section)
	} else if pid == d.program.pmt {
		d.pmt(section)
	}
}

func (d *Demuxer) pat(section []byte) {
	content, ok := body(section, patTable)
	if !ok {
		d.stats.Sections++
		return
	}
	var first *program
	for ; len(content) >= 4; content = content[4:] {
		number, pid := binary.BigEndian.Uint16(content), binary.BigEndian.Uint16(content[2:])&0x1fff
		if number == 0 || pid == 0 || pid == nullPID { // 0 is the network PID's
			continue
		}
		if pid == d.program.pmt && number == d.program.number {
			return
		}
		if first == nil {
			first = &program{pmt: pid, number: number}
		}
	}
	if first == nil {
		return
	}
	delete(d.tables, d.program.pmt)
	d.tables[0] = &table{}
	d.tables[first.pmt] = &table{}
	d.program = *first
}

func (d *Demuxer) pmt(section []byte) {
	if bytes.Equal(section, d.program.section) {
		return
	}
	content, ok := body(section, pmtTable)
	if !ok || len(content) < 4 {
		d.stats.Sections++
		return
	}
	if binary.BigEndian.Uint16(section[3:]) != d.program.number {
		return // programs may share a PID
	}
	d.program.section = bytes.Clone(section)
	content = content[min(len(content), 4+int(binary.BigEndian.Uint16(content[2:])&0x0fff)):]
	listed := map[uint16]bool{}
	for len(content) >= 5 {
		kind := astits.StreamType(content[0])
		pid := binary.BigEndian.Uint16(content[1:]) & 0x1fff
		end := min(len(content), 5+int(binary.BigEndian.Uint16(content[3:])&0x0fff))
		if pid != 0 && pid != nullPID && pid != d.program.pmt && len(listed) < streamLimit {
			if d.open(pid, kind, content[5:end]) {
				listed[pid] = true
			}
		}
		content = content[end:]
	}
	for pid, s := range d.streams {
		if !listed[pid] {
			s.drop()
			delete(d.streams, pid)
		}
	}
}

// open makes the stream of a PMT entry, or keeps the one that is there.
func (d *Demuxer) open(pid uint16, kind astits.StreamType, info []byte) bool {
	if s := d.streams[pid]; s != nil {
		if s.kind == kind && bytes.Equal(s.info, info) {
			return true
		}
		s.drop()
		delete(d.streams, pid)
	}
	s := &stream{demuxer: d, pid: pid, kind: kind, info: bytes.Clone(info)}
	if s.parser = newParser(s); s.parser == nil {
		d.stats.Unsupported++
		return false
	}
	d.streams[pid] = s
	return true
}

// newParser is the reader of the stream's format, nil where there is none.
func newParser(s *stream) parser {
	switch s.kind {
	case astits.StreamTypeH264Video:
		return &avcParser{stream: s}
	case astits.StreamTypeH265Video:
		return &hevcParser{stream: s}
	case astits.StreamTypeMPEG1Video, astits.StreamTypeMPEG2Video:
		return &mpeg2Parser{stream: s}
	case astits.StreamTypeADTS:
		return &framer{stream: s, sync: 0xff, next: adtsFrame}
	case astits.StreamTypeAACLATMAudio:
		return &framer{stream: s, sync: 0x56, next: (&latm{}).frame}
	case astits.StreamTypeMPEG1Audio, astits.StreamTypeMPEG2Audio:
		return &framer{stream: s, sync: 0xff, next: mpegFrame}
	case astits.StreamTypeAC3Audio, astits.StreamTypeEAC3Audio:
		return &framer{stream: s, sync: 0x0b, next: dolbyFrame}
	case astits.StreamTypePrivateData:
		return newPrivateParser(s)
	}
	return nil
}

// newPrivateParser reads streams that only their descriptors name.
func newPrivateParser(s *stream) parser {
	list := descriptors(s.info)
	for _, d := range list {
		switch {
		case d.tag == tagAC3, d.tag == tagEAC3:
			return &framer{stream: s, sync: 0x0b, next: dolbyFrame}
		case d.tag == tagRegistration && string(d.data) == "Opus":
			return newOpusParser(s, list)
		case d.tag == tagRegistration && (string(d.data) == "AC-3" || string(d.data) == "EAC3"):
			return &framer{stream: s, sync: 0x0b, next: dolbyFrame}
		case d.tag == tagRegistration && string(d.data) == "HEVC":
			return &hevcParser{stream: s}
		}
	}
	return nil
}
