package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"

	"millrace/internal/events"
)

const (
	socketMessage = 16 << 10 // bytes that a client may say at once
	maxTopics     = 64
)

// selection is what a client of the WebSocket asks for: in the query, and in
// any message it sends.
type selection struct {
	Types  []string `json:"types"`  // absent is all events
	Meters []string `json:"meters"` // channels whose meters and figures it wants
}

// openSocket answers GET /v1/ws: the same events as /v1/events, and meters.
func (s *Server) openSocket(c echo.Context) error {
	r := c.Request()
	filter, after := events.ParseFilter(c.QueryParam("types")), c.QueryParam("lastEventId")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		c.Response().Header().Set("Upgrade", "websocket")
		return problem(http.StatusUpgradeRequired, "upgrade-required", "This route speaks WebSocket.", "Use a WebSocket client, or read GET /v1/events.")
	}
	reader, past, whole, err := s.bus.Subscribe(filter, after)
	if err != nil {
		return Unavailable("too-many-readers", "So many read events already that this node takes no more.", "Close some control rooms, or read by webhook.")
	}
	defer reader.Close()
	// It refuses other origins than this host: a cookie proves no intent.
	conn, err := websocket.Accept(c.Response(), r, nil)
	if err != nil {
		return nil // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(socketMessage)
	reader.Select(filter, []string(events.ParseFilter(c.QueryParam("meters"))))

	ctx, cancel := context.WithCancel(r.Context())
	var listening sync.WaitGroup
	listening.Go(func() {
		defer cancel()
		listen(ctx, conn, reader)
	})
	stream := socketStream{conn: conn, ctx: ctx}
	stream.add(s.welcome(after, whole))
	for _, event := range past {
		stream.add(event)
	}
	// An error is the client's connection: nobody is left to tell.
	_ = s.follow(ctx, r, reader, &stream)
	_ = conn.Close(websocket.StatusGoingAway, "")
	cancel()
	listening.Wait()
	return nil
}

// listen takes what the client selects until the connection ends.
func listen(ctx context.Context, conn *websocket.Conn, reader *events.Reader) {
	for {
		kind, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		chosen, err := parseSelection(text)
		if err != nil || kind != websocket.MessageText {
			_ = conn.Close(websocket.StatusPolicyViolation, `want {"types":[…],"meters":[…]}`)
			return
		}
		reader.Select(events.Filter(chosen.Types), chosen.Meters)
	}
}

func parseSelection(text []byte) (chosen selection, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&chosen); err != nil {
		return chosen, fmt.Errorf("read selection: %w", err)
	}
	if len(chosen.Types) > maxTopics || len(chosen.Meters) > maxTopics {
		return chosen, fmt.Errorf("read selection: more than %d entries", maxTopics)
	}
	return chosen, nil
}

// socketStream writes one event a message.
type socketStream struct {
	conn *websocket.Conn
	ctx  context.Context
	next []events.Event
}

func (w *socketStream) add(event events.Event) { w.next = append(w.next, event) }

func (w *socketStream) send() error {
	defer func() { clear(w.next); w.next = w.next[:0] }()
	for _, event := range w.next {
		ctx, cancel := context.WithTimeout(w.ctx, writeLimit)
		err := w.conn.Write(ctx, websocket.MessageText, event.Text)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}
