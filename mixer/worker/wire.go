package worker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"millrace/internal/child"
	"millrace/internal/child/sandbox"
	"millrace/internal/media"
)

// ErrProtocol says that a frame is not what PROTOCOL.md says.
var ErrProtocol = errors.New("worker protocol violated")

// Send writes m. Packet data is not copied.
func Send(conn *child.Conn, m Message) error {
	parts, err := encode(m)
	if err != nil {
		return err
	}
	return conn.Send(m.kind(), parts...)
}

// Receive reads the next message. It is io.EOF when the other end is gone, and
// wraps ErrProtocol when the frame makes no sense.
func Receive(conn *child.Conn) (Message, error) {
	kind, payload, err := conn.Receive()
	if err != nil {
		return nil, err
	}
	return decode(kind, payload)
}

func encode(m Message) ([][]byte, error) {
	switch m := m.(type) {
	case *StreamPacket:
		return [][]byte{packetHeader(m), m.Packet.Data}, nil
	case *TrackChange:
		return marshal(wireTrackChange{m.Stream, m.Source, toWire(m.Track)})
	case *Ready:
		return encodeReady(m)
	case *Begin:
		return marshal(wireBegin{m.Stream, m.First, wireRendition{
			ID: m.Rendition.ID, Track: toWire(m.Rendition.Track), Bitrate: m.Rendition.Bitrate, Return: m.Rendition.Return,
		}})
	case *Picture:
		return encodePicture(m)
	case *Quit:
		return nil, nil
	}
	return marshal(m)
}

func marshal(v any) ([][]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode worker message: %w", err)
	}
	return [][]byte{text}, nil
}

func decode(kind byte, payload []byte) (Message, error) {
	switch kind {
	case kindPacket:
		return decodePacket(payload)
	case kindTrack:
		return decodeTrackChange(payload)
	case kindReady:
		return decodeReady(payload)
	case kindQuit:
		return &Quit{}, nil
	case kindHello:
		return decodeHello(payload)
	case kindStart:
		return unmarshal(payload, &Start{})
	case kindGone:
		return unmarshal(payload, &Gone{})
	case kindCommand:
		return decodeCommand(payload)
	case kindAck:
		return unmarshal(payload, &Ack{})
	case kindReport:
		return unmarshal(payload, &Report{})
	case kindBegin:
		return decodeBegin(payload)
	case kindEnd:
		return unmarshal(payload, &End{})
	case kindFault:
		return unmarshal(payload, &Fault{})
	case kindKey:
		return unmarshal(payload, &KeyFrame{})
	case kindWatch:
		return unmarshal(payload, &Watch{})
	case kindPicture:
		return decodePicture(payload)
	case kindMeters:
		return unmarshal(payload, &Meters{})
	case kindFinding:
		return unmarshal(payload, &Finding{})
	}
	return nil, fmt.Errorf("%w: unknown kind %d", ErrProtocol, kind)
}

func unmarshal[T Message](payload []byte, into T) (Message, error) {
	if err := strict(payload, into); err != nil {
		return nil, err
	}
	return into, nil
}

func decodeHello(payload []byte) (Message, error) {
	hello := &Hello{}
	if err := strict(payload, hello); err != nil {
		return nil, err
	}
	if hello.Version != Version {
		return nil, fmt.Errorf("%w: version %d, this is %d", ErrProtocol, hello.Version, Version)
	}
	if hello.GOPFrames < 1 || hello.Show.Canvas.Rate == (media.Rate{}) {
		return nil, fmt.Errorf("%w: hello without GOP or rate", ErrProtocol)
	}
	return hello, nil
}

func decodeCommand(payload []byte) (Message, error) {
	command := &Command{}
	if err := strict(payload, command); err != nil {
		return nil, err
	}
	if command.Show != nil && command.Show.Canvas.Rate == (media.Rate{}) {
		return nil, fmt.Errorf("%w: show without rate", ErrProtocol)
	}
	return command, nil
}

// strict reads exactly one JSON value without unknown fields.
func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: decode %T: %w", ErrProtocol, into, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: decode %T: more than one value", ErrProtocol, into)
	}
	return nil
}

// packetHeaderSize is stream, PTS, DTS, duration, stamp and flags.
const packetHeaderSize = 4 + 8 + 8 + 8 + 8 + 1

const flagKey = 1 << 0

func packetHeader(m *StreamPacket) []byte {
	header := make([]byte, 0, packetHeaderSize)
	header = binary.BigEndian.AppendUint32(header, m.Stream)
	header = binary.BigEndian.AppendUint64(header, uint64(m.Packet.PTS))
	header = binary.BigEndian.AppendUint64(header, uint64(m.Packet.DTS))
	header = binary.BigEndian.AppendUint64(header, uint64(m.Packet.Duration))
	header = binary.BigEndian.AppendUint64(header, uint64(m.Packet.Stamp))
	flags := byte(0)
	if m.Packet.Key {
		flags |= flagKey
	}
	return append(header, flags)
}

func decodePacket(payload []byte) (Message, error) {
	if len(payload) < packetHeaderSize {
		return nil, fmt.Errorf("%w: packet of %d bytes", ErrProtocol, len(payload))
	}
	flags := payload[packetHeaderSize-1]
	if flags&^flagKey != 0 {
		return nil, fmt.Errorf("%w: packet flags %#x", ErrProtocol, flags)
	}
	return &StreamPacket{
		Stream: binary.BigEndian.Uint32(payload),
		Packet: &media.Packet{
			PTS:      media.Time(binary.BigEndian.Uint64(payload[4:])),
			DTS:      media.Time(binary.BigEndian.Uint64(payload[12:])),
			Duration: time.Duration(binary.BigEndian.Uint64(payload[20:])),
			Stamp:    media.Time(binary.BigEndian.Uint64(payload[28:])),
			Key:      flags&flagKey != 0,
			Data:     payload[packetHeaderSize:],
		},
	}, nil
}

// wireTrack is media.Track in JSON.
type wireTrack struct {
	ID         string      `json:"id"`
	Kind       media.Kind  `json:"kind"`
	Codec      media.Codec `json:"codec"`
	MIME       string      `json:"mime,omitempty"`
	Config     []byte      `json:"config,omitempty"` // base64
	Width      int         `json:"width,omitempty"`
	Height     int         `json:"height,omitempty"`
	Rate       *media.Rate `json:"rate,omitempty"`
	SampleRate int         `json:"sampleRate,omitempty"`
	Channels   int         `json:"channels,omitempty"`
}

func toWire(t *media.Track) wireTrack {
	wire := wireTrack{
		ID: t.ID, Kind: t.Kind, Codec: t.Codec, MIME: t.MIME, Config: t.Config,
		Width: t.Width, Height: t.Height, SampleRate: t.SampleRate, Channels: t.Channels,
	}
	if t.Rate != (media.Rate{}) {
		wire.Rate = &t.Rate
	}
	return wire
}

func (w wireTrack) track() *media.Track {
	track := &media.Track{
		ID: w.ID, Kind: w.Kind, Codec: w.Codec, MIME: w.MIME, Config: w.Config,
		Width: w.Width, Height: w.Height, SampleRate: w.SampleRate, Channels: w.Channels,
	}
	if w.Rate != nil {
		track.Rate = *w.Rate
	}
	return track
}

type wireTrackChange struct {
	Stream uint32    `json:"stream"`
	Source string    `json:"source"`
	Track  wireTrack `json:"track"`
}

func decodeTrackChange(payload []byte) (Message, error) {
	var wire wireTrackChange
	if err := strict(payload, &wire); err != nil {
		return nil, err
	}
	return &TrackChange{Stream: wire.Stream, Source: wire.Source, Track: wire.Track.track()}, nil
}

// wireReady is the JSON of a ready frame; the access units of all filler
// follow it, joined.
type wireReady struct {
	Renditions []wireRendition `json:"renditions"`
	Multiview  *wireTrack      `json:"multiview,omitempty"`
	Encoder    EncoderInfo     `json:"encoder"`
	Sandbox    []sandbox.Layer `json:"sandbox,omitempty"`
}

type wireRendition struct {
	ID      string     `json:"id"`
	Track   wireTrack  `json:"track"`
	Bitrate int        `json:"bitrate"`
	Return  string     `json:"return,omitempty"`
	Filler  [][]uint32 `json:"filler,omitempty"` // bytes of each access unit of each variant
}

func encodeReady(m *Ready) ([][]byte, error) {
	wire := wireReady{Encoder: m.Encoder, Sandbox: m.Sandbox}
	if m.Multiview != nil {
		track := toWire(m.Multiview)
		wire.Multiview = &track
	}
	var units [][]byte
	for _, rendition := range m.Renditions {
		entry := wireRendition{ID: rendition.ID, Track: toWire(rendition.Track), Bitrate: rendition.Bitrate, Return: rendition.Return}
		for _, variant := range rendition.Filler {
			sizes := make([]uint32, len(variant))
			for i, unit := range variant {
				sizes[i] = uint32(len(unit))
			}
			entry.Filler = append(entry.Filler, sizes)
			units = append(units, variant...)
		}
		wire.Renditions = append(wire.Renditions, entry)
	}
	text, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("encode ready: %w", err)
	}
	size := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	return append([][]byte{size, text}, units...), nil
}

func decodeReady(payload []byte) (Message, error) {
	text, ok := take(&payload, 4)
	if ok {
		text, ok = take(&payload, binary.BigEndian.Uint32(text))
	}
	if !ok {
		return nil, fmt.Errorf("%w: ready is cut short", ErrProtocol)
	}
	var wire wireReady
	if err := strict(text, &wire); err != nil {
		return nil, err
	}
	ready := &Ready{Encoder: wire.Encoder, Sandbox: wire.Sandbox}
	if wire.Multiview != nil {
		ready.Multiview = wire.Multiview.track()
	}
	for _, entry := range wire.Renditions {
		rendition := Rendition{ID: entry.ID, Track: entry.Track.track(), Bitrate: entry.Bitrate, Return: entry.Return}
		for _, sizes := range entry.Filler {
			variant := make(Filler, 0, len(sizes))
			for _, size := range sizes {
				unit, ok := take(&payload, size)
				if !ok {
					return nil, fmt.Errorf("%w: filler of %q is cut short", ErrProtocol, entry.ID)
				}
				variant = append(variant, unit)
			}
			rendition.Filler = append(rendition.Filler, variant)
		}
		ready.Renditions = append(ready.Renditions, rendition)
	}
	if len(payload) > 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the filler", ErrProtocol, len(payload))
	}
	return ready, nil
}

// wireBegin is the JSON of a begin frame; its rendition has no filler.
type wireBegin struct {
	Stream    uint32        `json:"stream"`
	First     int64         `json:"first"`
	Rendition wireRendition `json:"rendition"`
}

func decodeBegin(payload []byte) (Message, error) {
	var wire wireBegin
	if err := strict(payload, &wire); err != nil {
		return nil, err
	}
	r := wire.Rendition
	if len(r.Filler) > 0 {
		return nil, fmt.Errorf("%w: begin of %q with filler", ErrProtocol, r.ID)
	}
	return &Begin{
		Stream: wire.Stream, First: wire.First,
		Rendition: Rendition{ID: r.ID, Track: r.Track.track(), Bitrate: r.Bitrate, Return: r.Return},
	}, nil
}

// take cuts size bytes off the front of data; false when there are fewer.
func take(data *[]byte, size uint32) ([]byte, bool) {
	if uint64(size) > uint64(len(*data)) {
		return nil, false
	}
	head := (*data)[:size:size]
	*data = (*data)[size:]
	return head, true
}
