package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// FORMAT.md is normative for everything in this file.
const (
	blockMagic   = "MRBLOCK1"
	trailerMagic = "MRBLKEND"

	headerSize  = 64
	recordSize  = 48 // a record's header, before its payload
	trailerSize = 24

	// maxPayload bounds what a reader allocates for one record.
	maxPayload = 64 << 20

	// maxSegment and maxSeconds bound what arithmetic on the grid is asked for.
	maxSegment = 1 << 34
	maxSeconds = 1 << 33 // since the epoch: the year 2242
)

// recordType says what a record's payload is.
type recordType uint8

const (
	recordLayout recordType = 1 // JSON: grid and renditions
	recordChunk  recordType = 2 // the bytes of one part
	recordGap    recordType = 3 // no payload: the segment is not held
	// 4 (timed event) and 5 (show log) are reserved.
	recordIndex recordType = 6 // what the block holds; last in a sealed block
)

const (
	flagIndependent = 1 << iota
	flagFiller
	flagLast // no later part in this segment
)

// Errors of the format. A caller tells damage from absence by them.
var (
	errHeader = errors.New("bad block header")
	errRecord = errors.New("bad record header")
	errIndex  = errors.New("bad block index")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockHeader is the head of a block file.
type blockHeader struct {
	ID    uint32 // repeated at the head of every record
	First int64  // no segment below this one is held by this block or a later one
	Born  int64  // first segment ever held for the channel
}

func (h blockHeader) marshal() []byte {
	b := make([]byte, headerSize)
	copy(b, blockMagic)
	binary.LittleEndian.PutUint32(b[8:], headerSize)
	binary.LittleEndian.PutUint32(b[12:], h.ID)
	binary.LittleEndian.PutUint64(b[16:], uint64(h.First))
	binary.LittleEndian.PutUint64(b[24:], uint64(h.Born))
	binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

func parseHeader(b []byte) (blockHeader, error) {
	if len(b) < headerSize || string(b[:8]) != blockMagic ||
		binary.LittleEndian.Uint32(b[8:]) != headerSize ||
		binary.LittleEndian.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return blockHeader{}, errHeader
	}
	h := blockHeader{
		ID:    binary.LittleEndian.Uint32(b[12:]),
		First: int64(binary.LittleEndian.Uint64(b[16:])),
		Born:  int64(binary.LittleEndian.Uint64(b[24:])),
	}
	if h.First < 0 || h.Born < 0 || h.Born > h.First {
		return blockHeader{}, errHeader
	}
	return h, nil
}

// recordHeader precedes every payload.
type recordHeader struct {
	ID        uint32 // of the block
	Type      recordType
	Flags     uint8
	Rendition uint16 // index in the layout in force
	Length    uint32 // of the payload, bytes
	Part      uint16
	Segment   int64
	Start     int64  // decode time of the first sample, rendition's timescale
	Duration  uint32 // rendition's timescale
	KeyBytes  uint32 // prefix that ends with the first sample, where an IDR
	CRC       uint32 // CRC-32C of the payload
}

func (h *recordHeader) append(b []byte) []byte {
	at := len(b)
	le := binary.LittleEndian
	b = le.AppendUint32(b, h.ID)
	b = append(b, byte(h.Type), h.Flags)
	b = le.AppendUint16(b, h.Rendition)
	b = le.AppendUint32(b, h.Length)
	b = le.AppendUint16(b, h.Part)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, uint64(h.Segment))
	b = le.AppendUint64(b, uint64(h.Start))
	b = le.AppendUint32(b, h.Duration)
	b = le.AppendUint32(b, h.KeyBytes)
	b = le.AppendUint32(b, h.CRC)
	return le.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

func parseRecord(b []byte) (recordHeader, error) {
	if len(b) < recordSize {
		return recordHeader{}, errRecord
	}
	le := binary.LittleEndian
	if le.Uint32(b[44:]) != crc32.Checksum(b[:44], castagnoli) {
		return recordHeader{}, errRecord
	}
	h := recordHeader{
		ID: le.Uint32(b), Type: recordType(b[4]), Flags: b[5], Rendition: le.Uint16(b[6:]),
		Length: le.Uint32(b[8:]), Part: le.Uint16(b[12:]),
		Segment: int64(le.Uint64(b[16:])), Start: int64(le.Uint64(b[24:])),
		Duration: le.Uint32(b[32:]), KeyBytes: le.Uint32(b[36:]), CRC: le.Uint32(b[40:]),
	}
	if h.Length > maxPayload || h.KeyBytes > h.Length ||
		h.Segment < 0 || h.Segment > maxSegment || h.Start < 0 {
		return recordHeader{}, errRecord
	}
	return h, nil
}

// marshalTrailer ends a sealed block: where its index record begins.
func marshalTrailer(id uint32, index int64) []byte {
	b := make([]byte, 0, trailerSize)
	b = binary.LittleEndian.AppendUint64(b, uint64(index))
	b = binary.LittleEndian.AppendUint32(b, id)
	b = append(b, trailerMagic...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseTrailer(b []byte) (id uint32, index int64, err error) {
	if len(b) != trailerSize || string(b[12:20]) != trailerMagic ||
		binary.LittleEndian.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) {
		return 0, 0, errIndex
	}
	index = int64(binary.LittleEndian.Uint64(b))
	if index < headerSize {
		return 0, 0, errIndex
	}
	return binary.LittleEndian.Uint32(b[8:]), index, nil
}
