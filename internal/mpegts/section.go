package mpegts

import "encoding/binary"

const (
	sectionLimit = 1024 // bytes: PAT and PMT sections are at most this long
	patTable     = 0
	pmtTable     = 2
)

// table gathers the sections of one PID from its transport packets.
type table struct {
	buffer  []byte
	open    bool
	counter uint8
}

// push takes the payload of a packet and gives a section when one is whole;
// it is valid until the next push. A table has one section (the most a program
// of a contribution feed needs), so what follows it in the packet is ignored.
func (t *table) push(payload []byte, start bool, counter uint8) []byte {
	continued := counter == (t.counter+1)&0x0f
	t.counter = counter
	if start {
		pointer := int(payload[0])
		if 1+pointer >= len(payload) {
			t.open = false
			return nil
		}
		t.buffer = append(t.buffer[:0], payload[1+pointer:]...)
		t.open = true
	} else if t.open && continued {
		t.buffer = append(t.buffer, payload...)
	} else {
		t.open = false
		return nil
	}
	if len(t.buffer) < 3 {
		return nil
	}
	length := 3 + int(binary.BigEndian.Uint16(t.buffer[1:])&0x0fff)
	if length > sectionLimit {
		t.open = false
		return nil
	}
	if len(t.buffer) < length {
		return nil
	}
	t.open = false
	return t.buffer[:length]
}

// body checks a section of the given table and gives what stands between its
// header and its checksum.
func body(section []byte, id uint8) (content []byte, ok bool) {
	if len(section) < 12 || section[0] != id || section[1]&0x80 == 0 || section[5]&1 == 0 {
		return nil, false
	}
	return section[8 : len(section)-4], checksum(section) == 0
}

// checksum is CRC-32/MPEG-2; over a section with its own checksum it is 0.
func checksum(p []byte) uint32 {
	crc := uint32(0xffffffff)
	for _, b := range p {
		crc ^= uint32(b) << 24
		for range 8 {
			top := crc >> 31
			crc = crc<<1 ^ top*0x04c11db7
		}
	}
	return crc
}

// descriptor is one tag and its content.
type descriptor struct {
	tag  uint8
	data []byte
}

func descriptors(p []byte) (list []descriptor) {
	for len(p) >= 2 && len(p) >= 2+int(p[1]) {
		list = append(list, descriptor{p[0], p[2 : 2+int(p[1])]})
		p = p[2+int(p[1]):]
	}
	return list
}
