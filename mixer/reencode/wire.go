package reencode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"millrace/internal/child"
	"millrace/internal/media"
)

// ErrProtocol says that a frame is not what the package's page says.
var ErrProtocol = errors.New("re-encoder protocol violated")

const (
	kindTask   = 1
	kindResult = 2
	kindSheet  = 3
)

// maxUnits bounds a task: a group of pictures is 1.6 s.
const maxUnits = 1024

// Task is frames to encode anew.
type Task struct {
	ID      int          // of the conversation
	Track   *media.Track // of the rendition: Config lists the parameter sets that may be used
	Bitrate int          // bits per second, the rendition's own
	Units   [][]byte     // consecutive access units, the first an IDR
	From    int          // of Units: the first to encode; it becomes an IDR
	To      int          // the one after the last
	Next    []byte       // the IDR that will follow the result; empty for none
}

// Result is what became of a task: Units as many as were asked for, or Error.
type Result struct {
	ID    int
	Units [][]byte
	Error string
}

type wireTask struct {
	ID      int        `json:"id"`
	Config  []byte     `json:"config"`
	Width   int        `json:"width"`
	Height  int        `json:"height"`
	Rate    media.Rate `json:"rate"`
	Bitrate int        `json:"bitrate"`
	From    int        `json:"from"`
	To      int        `json:"to"`
	Sizes   []int      `json:"sizes"` // of the access units
	Next    int        `json:"next"`  // size
}

type wireResult struct {
	ID    int    `json:"id"`
	Sizes []int  `json:"sizes,omitempty"`
	Error string `json:"error,omitempty"`
}

// SendTask writes a task.
func SendTask(conn *child.Conn, t *Task) error {
	head := wireTask{
		ID: t.ID, Config: t.Track.Config, Width: t.Track.Width, Height: t.Track.Height, Rate: t.Track.Rate,
		Bitrate: t.Bitrate, From: t.From, To: t.To, Sizes: sizes(t.Units), Next: len(t.Next),
	}
	return send(conn, kindTask, head, append(append([][]byte{}, t.Units...), t.Next))
}

// SendResult writes a result.
func SendResult(conn *child.Conn, r *Result) error {
	return send(conn, kindResult, wireResult{ID: r.ID, Sizes: sizes(r.Units), Error: r.Error}, r.Units)
}

func sizes(units [][]byte) []int {
	out := make([]int, len(units))
	for i, unit := range units {
		out[i] = len(unit)
	}
	return out
}

func send(conn *child.Conn, kind byte, head any, data [][]byte) error {
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("encode re-encoder message: %w", err)
	}
	prefix := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	return conn.Send(kind, append([][]byte{prefix, text}, data...)...)
}

// ReceiveTask reads a task or a sheet, the other being nil; io.EOF when the server
// is gone.
func ReceiveTask(conn *child.Conn) (*Task, *Sheet, error) {
	kind, payload, err := conn.Receive()
	if err != nil {
		return nil, nil, err
	}
	switch kind {
	case kindTask:
		task, err := parseTask(payload)
		return task, nil, err
	case kindSheet:
		sheet, err := parseSheet(payload)
		return nil, sheet, err
	}
	return nil, nil, fmt.Errorf("%w: kind %d is no task", ErrProtocol, kind)
}

func parseTask(payload []byte) (*Task, error) {
	var head wireTask
	data, err := open(payload, &head)
	if err != nil {
		return nil, err
	}
	units, rest, err := cut(data, head.Sizes)
	switch {
	case err != nil:
		return nil, err
	case head.Next != len(rest), head.From < 0, head.From >= head.To, head.To > len(units):
		return nil, fmt.Errorf("%w: task of %d units asks for [%d, %d), then %d bytes of %d",
			ErrProtocol, len(units), head.From, head.To, head.Next, len(rest))
	}
	return &Task{
		ID: head.ID, Bitrate: head.Bitrate, Units: units, From: head.From, To: head.To, Next: rest,
		Track: &media.Track{
			ID: "clip", Kind: media.Video, Codec: media.H264, Config: head.Config,
			Width: head.Width, Height: head.Height, Rate: head.Rate,
		},
	}, nil
}

// ReceiveResult reads a result; io.EOF when the process is gone.
func ReceiveResult(conn *child.Conn) (*Result, error) {
	kind, payload, err := conn.Receive()
	if err != nil {
		return nil, err
	}
	if kind != kindResult {
		return nil, fmt.Errorf("%w: kind %d is no result", ErrProtocol, kind)
	}
	return parseResult(payload)
}

func parseResult(payload []byte) (*Result, error) {
	var head wireResult
	data, err := open(payload, &head)
	if err != nil {
		return nil, err
	}
	units, rest, err := cut(data, head.Sizes)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes too many", ErrProtocol, len(rest))
	}
	return &Result{ID: head.ID, Units: units, Error: head.Error}, err
}

// open reads the JSON at the head of a payload and gives what follows it.
func open(payload []byte, head any) ([]byte, error) {
	if len(payload) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", ErrProtocol, len(payload))
	}
	length := binary.BigEndian.Uint32(payload)
	payload = payload[4:]
	if uint64(length) > uint64(len(payload)) {
		return nil, fmt.Errorf("%w: JSON of %d bytes in %d", ErrProtocol, length, len(payload))
	}
	decoder := json.NewDecoder(bytes.NewReader(payload[:length]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return payload[length:], nil
}

// cut takes units of those sizes off data.
func cut(data []byte, sizes []int) (units [][]byte, rest []byte, err error) {
	if len(sizes) > maxUnits {
		return nil, nil, fmt.Errorf("%w: %d units", ErrProtocol, len(sizes))
	}
	for _, size := range sizes {
		if size <= 0 || size > len(data) {
			return nil, nil, fmt.Errorf("%w: unit of %d bytes in %d", ErrProtocol, size, len(data))
		}
		units = append(units, data[:size:size])
		data = data[size:]
	}
	return units, data, nil
}
