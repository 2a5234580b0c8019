package srt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// Frames is the socket between the server and the srt process, as
// child.Conn provides it.
type Frames interface {
	Send(kind byte, parts ...[]byte) error
	Receive() (kind byte, payload []byte, err error)
}

// What crosses the socket. Payloads are JSON but for KindData, which is the
// connection's number in 8 bytes, big-endian, and a piece of its stream.
const (
	KindConfig    byte = 1 + iota // server to process: Config, once, first
	KindTable                     // server to process: Table, a new one replaces the old
	KindClose                     // server to process: Closing
	KindQuit                      // server to process: empty; end in order
	KindListening                 // process to server: Listening, once
	KindOpened                    // process to server: Opened
	KindData                      // process to server
	KindStats                     // process to server: Stats, once a second and connection
	KindClosed                    // process to server: Closed, the last of a connection
	KindRefused                   // process to server: Refused
)

// Config is how the process listens.
type Config struct {
	Listen    string // address and UDP port, ":8890"; empty host: all addresses
	LatencyMs int    // the least receiver latency that is agreed on
}

// Listening answers Config.
type Listening struct {
	Address string // with the port in use
	Error   string // why it does not listen
	InUse   bool   // Error is that somebody else has the port
}

// Opened announces a connection that was let in.
type Opened struct {
	ID               uint64
	Source           string
	StreamID, Remote string
	LatencyMs        int // agreed receiver latency
}

// Closing asks for the end of a connection.
type Closing struct {
	ID     uint64
	Reason string
}

// Closed says that a connection has ended.
type Closed struct {
	ID     uint64
	Reason string
	// Flowing: data came until the end, so the peer shut the connection down;
	// a network that broke is silent before libsrt gives up.
	Flowing bool
}

// Refused tells of a caller that was not let in.
type Refused struct {
	Code    Reject
	Source  string // that it named or had the key of; empty: neither
	Remote  string // address and port
	Omitted uint64 // refusals before it that were not told
}

// Stats are the figures of one connection since its beginning, unless said
// otherwise.
type Stats struct {
	ID            uint64
	RTTMs         float64 // now
	ReceivedMbps  float64 // over the last second
	BandwidthMbps float64 // estimate of the link, now
	Packets       int64
	Bytes         int64
	Lost          int64 // packets missed, whether or not they came later
	Retransmitted int64 // packets that came again in the last second
	Dropped       int64 // packets given up: too late to be played
	Undecrypted   int64
	BufferMs      int // in the receiver's buffer, now
	LatencyMs     int // agreed
}

const connectionHeader = 8

// SendData frames a piece of a connection's stream.
func SendData(frames Frames, id uint64, data []byte) error {
	var header [connectionHeader]byte
	binary.BigEndian.PutUint64(header[:], id)
	return frames.Send(KindData, header[:], data)
}

func readData(payload []byte) (id uint64, data []byte, err error) {
	if len(payload) < connectionHeader {
		return 0, nil, fmt.Errorf("read data frame of %d bytes: too short", len(payload))
	}
	return binary.BigEndian.Uint64(payload), payload[connectionHeader:], nil
}

// SendJSON frames everything else.
func SendJSON(frames Frames, kind byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode frame %d: %w", kind, err)
	}
	return frames.Send(kind, text)
}

// ReadJSON is the content of a frame that SendJSON wrote.
func ReadJSON[T any](payload []byte) (value T, err error) {
	if err := json.Unmarshal(payload, &value); err != nil {
		return value, fmt.Errorf("decode frame: %w", err)
	}
	return value, nil
}

// StatsInterval is how often a connection reports.
const StatsInterval = time.Second
