package rtmp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Message is one RTMP message, put together from its chunks.
type Message struct {
	Type      byte
	StreamID  uint32
	Timestamp uint32 // milliseconds modulo 2^32
	Body      []byte // the receiver's own
}

// Types of messages that this package tells apart (RTMP 1.0 §5.4, §7.1).
const (
	TypeSetChunkSize  = 1
	TypeAbort         = 2
	TypeUserControl   = 4
	TypeWindowAckSize = 5
	TypeAudio         = 8
	TypeVideo         = 9
	TypeCommandAMF3   = 17
	TypeCommandAMF0   = 20
)

const (
	defaultChunkSize = 128
	maxChunkSize     = 0xFFFFFF // a message is never longer (RTMP 1.0 §5.4.1)
	maxChunkStreams  = 64
	extended         = 0xFFFFFF // in the 24-bit field: the timestamp follows in 32 bits

	// negativeDelta is where a 24-bit delta is taken for a negative one: 17
	// minutes back is more likely than 4.3 hours ahead.
	negativeDelta = 0xF00000
)

// Reader puts chunks together into messages (RTMP 1.0 §5.3). What it holds is
// bounded by its limit, whatever the peer claims. It is owned by one goroutine.
type Reader struct {
	br        *bufio.Reader
	chunkSize uint32
	streams   map[uint32]*chunkStream
	limit     int // bytes that unfinished messages may claim together
	claimed   int
}

type chunkStream struct {
	timestamp uint32
	delta     uint32 // of the last type 1 or 2 chunk; 0 after type 0
	field     uint32 // the extended timestamp as sent, when extended
	extended  bool
	absolute  bool // the last header was of type 0

	length   uint32
	kind     byte
	streamID uint32

	partial bool
	body    []byte // the bytes so far of a message of length bytes
}

// NewReader reads messages that claim at most limit bytes at a time.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{
		br:        bufio.NewReaderSize(r, 8<<10),
		chunkSize: defaultChunkSize,
		streams:   make(map[uint32]*chunkStream),
		limit:     limit,
	}
}

// SetLimit changes how many bytes unfinished messages may claim together.
func (r *Reader) SetLimit(limit int) { r.limit = limit }

// Next is the next whole message. Set Chunk Size and Abort are obeyed here and
// returned all the same.
func (r *Reader) Next() (Message, error) {
	for {
		s, done, err := r.chunk()
		if err != nil {
			return Message{}, err
		}
		if !done {
			continue
		}
		m := Message{Type: s.kind, StreamID: s.streamID, Timestamp: s.timestamp, Body: s.body}
		r.release(s)
		return m, r.obey(m)
	}
}

// release forgets the message under way, if there is one.
func (r *Reader) release(s *chunkStream) {
	if s.partial {
		r.claimed -= int(s.length)
	}
	s.partial, s.body = false, nil
}

func (r *Reader) obey(m Message) error {
	switch m.Type {
	case TypeSetChunkSize:
		if len(m.Body) < 4 {
			return fmt.Errorf("%w: Set Chunk Size of %d bytes", ErrProtocol, len(m.Body))
		}
		size := binary.BigEndian.Uint32(m.Body)
		if size == 0 || size > 0x7FFFFFFF {
			return fmt.Errorf("%w: chunk size %d", ErrProtocol, size)
		}
		r.chunkSize = min(size, maxChunkSize)
	case TypeAbort:
		if len(m.Body) < 4 {
			return fmt.Errorf("%w: Abort of %d bytes", ErrProtocol, len(m.Body))
		}
		if s, ok := r.streams[binary.BigEndian.Uint32(m.Body)]; ok {
			r.release(s)
		}
	}
	return nil
}

// chunk reads one chunk and reports whether it ended its message.
func (r *Reader) chunk() (*chunkStream, bool, error) {
	format, id, err := r.basicHeader()
	if err != nil {
		return nil, false, err
	}
	s, ok := r.streams[id]
	if !ok {
		// librtmp begins a stream with type 1 at times, never with 2 or 3.
		if format > 1 {
			return nil, false, fmt.Errorf("%w: chunk stream %d begins with type %d", ErrProtocol, id, format)
		}
		if len(r.streams) >= maxChunkStreams {
			return nil, false, fmt.Errorf("%w: more than %d chunk streams", ErrProtocol, maxChunkStreams)
		}
		s = &chunkStream{}
		r.streams[id] = s
	}
	if s.partial && format != 3 {
		return nil, false, fmt.Errorf("%w: type %d chunk within a message", ErrProtocol, format)
	}
	if format == 3 {
		err = r.continuation(s)
	} else {
		err = r.messageHeader(s, format)
	}
	if err != nil {
		return nil, false, err
	}
	if err := r.begin(s); err != nil {
		return nil, false, err
	}
	had := len(s.body)
	n := min(int(s.length)-had, int(r.chunkSize))
	s.body = s.body[:had+n]
	if _, err := io.ReadFull(r.br, s.body[had:]); err != nil {
		return nil, false, fmt.Errorf("read chunk: %w", err)
	}
	return s, len(s.body) == int(s.length), nil
}

// basicHeader reads the chunk type and the chunk stream id (§5.3.1.1).
func (r *Reader) basicHeader() (format byte, id uint32, err error) {
	first, err := r.br.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	format, id = first>>6, uint32(first&0x3F)
	if id >= 2 {
		return format, id, nil
	}
	b, err := r.bytes(int(id) + 1)
	if err != nil {
		return 0, 0, err
	}
	id = uint32(b[0]) + 64
	if len(b) == 2 {
		id += uint32(b[1]) << 8
	}
	return format, id, nil
}

// bytes is the next n bytes, valid until the next read.
func (r *Reader) bytes(n int) ([]byte, error) {
	b, err := r.br.Peek(n)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read chunk header: %w", err)
	}
	_, err = r.br.Discard(n)
	return b, err
}

// messageHeader reads the header of a chunk of type 0, 1 or 2 (§5.3.1.2).
func (r *Reader) messageHeader(s *chunkStream, format byte) error {
	b, err := r.bytes([...]int{11, 7, 3}[format])
	if err != nil {
		return err
	}
	field := uint24(b)
	if format <= 1 {
		s.length, s.kind = uint24(b[3:]), b[6]
	}
	if format == 0 {
		s.streamID = binary.LittleEndian.Uint32(b[7:])
	}
	s.extended = field == extended
	if s.extended {
		if b, err = r.bytes(4); err != nil {
			return err
		}
		field = binary.BigEndian.Uint32(b)
	} else if format != 0 && field >= negativeDelta {
		field |= 0xFF000000
	}
	s.field, s.absolute = field, format == 0
	if s.absolute {
		s.timestamp, s.delta = field, 0
		return nil
	}
	s.delta = field
	s.timestamp += field
	return nil
}

// continuation reads what follows the basic header of a type 3 chunk, which
// goes on with a message or begins one like the last.
func (r *Reader) continuation(s *chunkStream) error {
	if s.partial {
		return r.repeatedTimestamp(s)
	}
	if s.extended {
		b, err := r.bytes(4)
		if err != nil {
			return err
		}
		field := binary.BigEndian.Uint32(b)
		switch {
		case field < extended: // no such value: the header's holds
		case s.absolute:
			s.timestamp, s.field = field, field
		default:
			s.delta, s.field = field, field
		}
	}
	s.timestamp += s.delta
	return nil
}

// repeatedTimestamp skips the extended timestamp that §5.3.1.3 wants in every
// type 3 chunk, that some clients leave out, and others leave zero.
func (r *Reader) repeatedTimestamp(s *chunkStream) error {
	if !s.extended {
		return nil
	}
	b, err := r.br.Peek(4)
	if err != nil {
		return fmt.Errorf("read chunk header: %w", err)
	}
	if field := binary.BigEndian.Uint32(b); field == s.field || field == 0 {
		_, err = r.br.Discard(4)
	}
	return err
}

// begin makes room for a message, within the limit.
func (r *Reader) begin(s *chunkStream) error {
	if s.partial {
		return nil
	}
	if r.claimed+int(s.length) > r.limit {
		return fmt.Errorf("%w: a message of %d bytes exceeds the limit", ErrProtocol, s.length)
	}
	r.claimed += int(s.length)
	s.partial, s.body = true, make([]byte, 0, s.length)
	return nil
}

func uint24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
