package whep

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// sender is one of a viewer's two tracks: a webrtc.TrackLocal. Bind and Unbind
// come from pion; everything else belongs to the viewer's goroutine, which
// begins once the connection has come about, after Bind.
type sender struct {
	kind    webrtc.RTPCodecType
	bound   bool
	writer  webrtc.TrackLocalWriter
	reader  interceptor.RTCPReader
	header  rtp.Header
	repair  rtp.Header // of retransmissions; PayloadType 0: same as header
	counter [2]byte    // transport-wide sequence number, in header's extension

	last    uint32 // timestamp of the last frame
	begun   bool
	packets uint32 // for sender reports
	octets  uint32
	history *history // nil: nothing is sent again
	scratch []byte
}

func newSender(kind webrtc.RTPCodecType) *sender { return &sender{kind: kind} }

// ID is webrtc.TrackLocal's.
func (s *sender) ID() string { return s.kind.String() }

// StreamID is webrtc.TrackLocal's.
func (s *sender) StreamID() string { return "program" }

// RID is webrtc.TrackLocal's.
func (s *sender) RID() string { return "" }

// Kind is webrtc.TrackLocal's.
func (s *sender) Kind() webrtc.RTPCodecType { return s.kind }

// Bind is webrtc.TrackLocal's: it learns what was agreed to.
func (s *sender) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	var chosen webrtc.RTPCodecParameters
	for _, codec := range c.CodecParameters() {
		if !strings.HasSuffix(strings.ToLower(codec.MimeType), "/rtx") {
			chosen = codec
			break
		}
	}
	if chosen.PayloadType == 0 {
		return chosen, webrtc.ErrUnsupportedCodec
	}
	s.writer, s.reader = c.WriteStream(), c.RTCPReader()
	s.header = rtp.Header{Version: 2, PayloadType: uint8(chosen.PayloadType), SSRC: uint32(c.SSRC()), SequenceNumber: randomSequence()}
	for _, codec := range c.CodecParameters() {
		if strings.HasSuffix(strings.ToLower(codec.MimeType), "/rtx") && codec.SDPFmtpLine == "apt="+strconv.Itoa(int(chosen.PayloadType)) &&
			c.SSRCRetransmission() != 0 {
			s.repair = rtp.Header{Version: 2, PayloadType: uint8(codec.PayloadType), SSRC: uint32(c.SSRCRetransmission()), SequenceNumber: randomSequence()}
		}
	}
	for _, e := range c.HeaderExtensions() {
		if e.URI != congestionURI || e.ID < 1 || e.ID > 14 {
			continue
		}
		for _, h := range []*rtp.Header{&s.header, &s.repair} {
			if err := h.SetExtension(uint8(e.ID), s.counter[:]); err != nil {
				return chosen, err
			}
		}
	}
	for _, f := range chosen.RTCPFeedback {
		if f.Type == "nack" && f.Parameter == "" {
			s.history = &history{}
		}
	}
	s.bound = true
	return chosen, nil
}

// Unbind is webrtc.TrackLocal's.
func (s *sender) Unbind(webrtc.TrackLocalContext) error { return nil }

// stamp is the timestamp of a frame: never the same as the last one's, where
// two rungs have a picture of the same instant.
func (s *sender) stamp(timestamp uint32) uint32 {
	if s.begun && int32(timestamp-s.last) <= 0 {
		timestamp = s.last + 1
	}
	s.begun, s.last = true, timestamp
	return timestamp
}

// write sends a packet. number is the transport-wide one.
func (s *sender) write(timestamp uint32, marker bool, payload []byte, number uint16) error {
	s.header.SequenceNumber++
	s.header.Timestamp, s.header.Marker = timestamp, marker
	binary.BigEndian.PutUint16(s.counter[:], number)
	if s.history != nil {
		s.history.put(sentPacket{number: s.header.SequenceNumber, timestamp: timestamp, marker: marker, payload: payload})
	}
	s.packets++
	s.octets += uint32(len(payload))
	_, err := s.writer.WriteRTP(&s.header, payload)
	return err
}

// again sends a packet once more: as a retransmission (RFC 4588), or where the
// viewer knows none, as it was.
func (s *sender) again(p sentPacket, number uint16) error {
	binary.BigEndian.PutUint16(s.counter[:], number)
	if s.repair.PayloadType == 0 {
		sequence := s.header.SequenceNumber
		defer func() { s.header.SequenceNumber = sequence }()
		s.header.SequenceNumber, s.header.Timestamp, s.header.Marker = p.number, p.timestamp, p.marker
		_, err := s.writer.WriteRTP(&s.header, p.payload)
		return err
	}
	s.repair.SequenceNumber++
	s.repair.Timestamp, s.repair.Marker = p.timestamp, p.marker
	s.scratch = append(binary.BigEndian.AppendUint16(s.scratch[:0], p.number), p.payload...)
	_, err := s.writer.WriteRTP(&s.repair, s.scratch)
	return err
}
