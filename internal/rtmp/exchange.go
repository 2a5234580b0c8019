package rtmp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/message"
)

// ErrPlay says that the client came to watch, not to publish. It has been told.
var ErrPlay = errors.New("the client wants to play")

const playRefusal = "Millrace takes feeds over RTMP and does not play them. Watch over HLS, DASH or WHEP."

// exchange is the server's side of the commands of one connection: what was
// said so far, without any I/O. Publishing is not granted here.
type exchange struct {
	connected  bool
	publishing bool // asked for
	app        string
	tcURL      string
	stream     string
	reconnects bool // the client understands ReconnectRequest
}

type event uint8

const (
	nothing event = iota
	publishAsked
	playAsked
	goodbye
)

// command reads an AMF0 command message's body (RTMP 1.0 §7.1.1).
func command(body []byte) (*message.CommandAMF0, error) {
	if len(body) > maxCommand {
		return nil, fmt.Errorf("%w: command of %d bytes", ErrProtocol, len(body))
	}
	values, err := amf0.Unmarshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: command: %v", ErrProtocol, err)
	}
	if len(values) < 2 {
		return nil, fmt.Errorf("%w: command of %d values", ErrProtocol, len(values))
	}
	name, isString := values[0].(string)
	id, isNumber := values[1].(float64)
	if !isString || !isNumber {
		return nil, fmt.Errorf("%w: command without name and number", ErrProtocol)
	}
	return &message.CommandAMF0{Name: name, CommandID: int(id), Arguments: values[2:]}, nil
}

// answer takes one command; the replies are to be sent before the event is
// acted upon.
func (e *exchange) answer(call *message.CommandAMF0) (replies []message.Message, ev event, err error) {
	if !e.connected {
		if call.Name != "connect" {
			return nil, nothing, fmt.Errorf("%w: %.20q before connect", ErrProtocol, call.Name)
		}
		if err := e.connect(call.Arguments); err != nil {
			return nil, nothing, err
		}
		return connected(call), nothing, nil
	}
	switch call.Name {
	case "createStream":
		return []message.Message{result(call, nil, float64(1))}, nothing, nil
	case "publish":
		return nil, publishAsked, e.publish(call.Arguments)
	case "play", "play2":
		return []message.Message{status("error", codePlayFailed, playRefusal)}, playAsked, nil
	case "deleteStream", "closeStream", "FCUnpublish":
		if e.publishing {
			return nil, goodbye, nil
		}
		return nil, nothing, nil // some clients release a name before they take it
	case "getStreamLength":
		return []message.Message{result(call, nil, float64(0))}, nothing, nil
	case "releaseStream", "FCPublish", "_checkbw":
		return []message.Message{result(call, nil, amf0.Undefined{})}, nothing, nil
	}
	return unknown(call), nothing, nil
}

// unknown answers a call of a method that is not here, unless it is an answer
// itself or asks for none (number 0).
func unknown(call *message.CommandAMF0) []message.Message {
	if call.CommandID == 0 || strings.HasPrefix(call.Name, "_") || strings.HasPrefix(call.Name, "on") {
		return nil
	}
	return []message.Message{&message.CommandAMF0{
		ChunkStreamID: commandChunkStream, Name: "_error", CommandID: call.CommandID,
		Arguments: []any{nil, amf0.Object{
			{Key: "level", Value: "error"}, {Key: "code", Value: "NetConnection.Call.Failed"},
			{Key: "description", Value: fmt.Sprintf("Method %.40q is not known here.", call.Name)},
		}},
	}}
}

func (e *exchange) connect(arguments amf0.Data) error {
	var properties amf0.Object
	if len(arguments) > 0 {
		switch o := arguments[0].(type) {
		case amf0.Object:
			properties = o
		case amf0.ECMAArray:
			properties = amf0.Object(o)
		}
	}
	app, ok := properties.GetString("app")
	if !ok {
		return fmt.Errorf("%w: connect without app", ErrProtocol)
	}
	e.app = app
	e.tcURL, _ = properties.GetString("tcUrl")
	const reconnect = 1 // CapsExMask.Reconnect
	caps, _ := properties.GetFloat64("capsEx")
	e.reconnects = caps >= 0 && caps < 1<<31 && int(caps)&reconnect != 0
	e.connected = true
	return nil
}

func (e *exchange) publish(arguments amf0.Data) error {
	if e.publishing {
		return fmt.Errorf("%w: publish for the second time", ErrProtocol)
	}
	if len(arguments) < 2 {
		return fmt.Errorf("%w: publish without a name", ErrProtocol)
	}
	name, ok := arguments[1].(string)
	if !ok {
		return fmt.Errorf("%w: publish without a name", ErrProtocol)
	}
	e.stream, e.publishing = name, true
	return nil
}
