package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"millrace/internal/events"
)

const (
	// heartbeatEvery is below the 2 s without a word after which a control room
	// says that it has lost the node.
	heartbeatEvery = time.Second
	// writeLimit is how long a connection may refuse what it is given.
	writeLimit = 5 * time.Second
)

// What a stream says of itself, beside the events of the bus.
const (
	eventHello     = "hello"     // first of all: read everything now, then follow
	eventReset     = "reset"     // in its place where the last event is not known any more
	eventHeartbeat = "heartbeat" // once a second
)

// greeting is the data of hello and reset.
type greeting struct {
	Node      string    `json:"node"`
	Version   string    `json:"version"`
	StartedAt Timestamp `json:"startedAt"`
	Resumed   bool      `json:"resumed"`
	Reason    string    `json:"reason,omitempty"`
}

// notice is a message of the stream itself; it has no id.
type notice struct {
	Type string    `json:"type"`
	Time Timestamp `json:"time"`
	Data any       `json:"data,omitempty"`
}

func (s *Server) notice(kind string, data any) events.Event {
	// Its parts all encode.
	text, _ := json.Marshal(notice{Type: kind, Time: Timestamp{s.now()}, Data: data})
	return events.Event{Type: kind, Text: text}
}

// welcome is the first message of a stream.
func (s *Server) welcome(after string, whole bool) events.Event {
	system := s.backend.System()
	data := greeting{Node: system.Node, Version: system.Version, StartedAt: system.StartedAt, Resumed: whole && after != ""}
	kind := eventHello
	if !whole {
		kind = eventReset
		data.Reason = "The last event that you have seen is too long ago, or the node was started since. Read everything again."
	}
	return s.notice(kind, data)
}

// streamEvents answers GET /v1/events.
func (s *Server) streamEvents(c echo.Context) error {
	r := c.Request()
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = c.QueryParam("lastEventId")
	}
	reader, past, whole, err := s.bus.Subscribe(events.ParseFilter(c.QueryParam("types")), after)
	if err != nil {
		return Unavailable("too-many-readers", "So many read events already that this node takes no more.", "Close some control rooms, or read by webhook.")
	}
	defer reader.Close()
	header := c.Response().Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back
	c.Response().WriteHeader(http.StatusOK)
	stream := sseStream{response: c.Response(), control: http.NewResponseController(c.Response())}
	stream.text.WriteString("retry: 1000\n")
	stream.add(s.welcome(after, whole))
	for _, event := range past {
		stream.add(event)
	}
	// An error is the client's connection: nobody is left to tell.
	_ = s.follow(r.Context(), r, reader, &stream)
	return nil
}

// follow writes what a reader gets until one of the two is over, or whoever
// reads may not any more.
func (s *Server) follow(ctx context.Context, r *http.Request, reader *events.Reader, to eventWriter) error {
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		if err := to.send(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-reader.Events():
			if !open {
				return nil // too slow; it may come back with the id it has
			}
			to.add(event)
			for more := true; more; {
				select {
				case event, open := <-reader.Events():
					more = open
					if open {
						to.add(event)
					}
				default:
					more = false
				}
			}
		case signal := <-reader.Signals():
			to.add(signal)
		case <-heartbeat.C:
			if !s.open && !s.mayRead(r) {
				return nil
			}
			to.add(s.notice(eventHeartbeat, nil))
		}
	}
}

// mayRead judges again who reads: a key that is deleted reads no further.
func (s *Server) mayRead(r *http.Request) bool {
	holder, err := s.holder(r)
	return err == nil && allows(holder.Scopes, ScopeView)
}

// eventWriter is one of the wires that events travel on.
type eventWriter interface {
	add(events.Event) // to what the next send sends
	send() error
}

// sseStream writes server-sent events (HTML, section 9.2).
type sseStream struct {
	response http.ResponseWriter
	control  *http.ResponseController
	text     bytes.Buffer
}

func (w *sseStream) add(event events.Event) {
	w.text.WriteString("event: " + event.Type + "\n")
	if event.ID != "" {
		w.text.WriteString("id: " + event.ID + "\n")
	}
	w.text.WriteString("data: ")
	w.text.Write(event.Text) // JSON has no line breaks in it
	w.text.WriteString("\n\n")
}

func (w *sseStream) send() error {
	if w.text.Len() == 0 {
		return nil
	}
	// A writer without deadlines is a test's.
	_ = w.control.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := w.response.Write(w.text.Bytes())
	w.text.Reset()
	if err != nil {
		return err
	}
	return w.control.Flush()
}
