package appliance

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"millrace/api"
)

// wired is an event as it came over a wire.
type wired struct {
	ID, Type string
	Data     map[string]any
}

// serveNode puts a node's API on a real connection.
func serveNode(t *testing.T, node *Node) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(node.handler)
	t.Cleanup(server.Close)
	return server
}

// listenSSE reads events; headers are pairs. The channel ends with the stream.
func listenSSE(t *testing.T, server *httptest.Server, key, query string, headers ...string) <-chan wired {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/events"+query, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	require.Equal(t, 200, answer.StatusCode)
	require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
	got := make(chan wired, 100)
	go func() {
		defer close(got)
		defer answer.Body.Close()
		var e wired
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.Type = value
			case "id":
				e.ID = value
			case "data":
				if json.Unmarshal([]byte(value), &e) != nil {
					return
				}
			case "":
				if e.Type != "" && e.Type != "heartbeat" {
					got <- e
				}
				e = wired{}
			}
		}
	}()
	return got
}

func next(t *testing.T, events <-chan wired) wired {
	t.Helper()
	select {
	case e, open := <-events:
		require.True(t, open, "the stream has ended")
		return e
	case <-time.After(20 * time.Second):
		require.Fail(t, "no event came")
	}
	return wired{}
}

func TestEventsOverSSE(t *testing.T) {
	node := openNode(t, t.TempDir())
	c, server := newClient(t, node, api.ScopeManage), serveNode(t, node)
	all, tallies := listenSSE(t, server, c.key, ""), listenSSE(t, server, c.key, "?types=tally.*,clip.*")
	require.Equal(t, "hello", next(t, all).Type)
	require.Equal(t, "test", next(t, tallies).Data["version"])

	c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push","name":"Two"}`)
	first := next(t, all)
	require.Equal(t, "source.created", first.Type)
	require.Equal(t, "cam2", first.Data["id"])
	require.Equal(t, "Two", first.Data["name"])
	c.must(201, "POST", "/v1/channels", smallChannel)
	created := next(t, all)
	require.Equal(t, "channel.created", created.Type)
	c.must(200, "PATCH", "/v1/channels/main", `{"scenes":[{"id":"two-up","layout":"solo","slots":["cam1"]}]}`, "If-Match", "*")
	require.Equal(t, "channel.changed", next(t, all).Type)
	tally := next(t, all)
	require.Equal(t, tally, next(t, tallies), "the filter passes it first")
	require.Equal(t, map[string]any{"cam1": "program", "test1": "off"}, tally.Data["sources"])
	c.must(200, "PATCH", "/v1/channels/main/audio/cam1", `{"mute":true}`)
	require.Equal(t, "channel.audio", next(t, all).Type)
	c.must(204, "DELETE", "/v1/sources/cam2", "", "If-Match", "*")
	gone := next(t, all)
	require.Equal(t, "source.deleted", gone.Type)

	resumed := listenSSE(t, server, c.key, "", "Last-Event-ID", created.ID)
	require.Equal(t, true, next(t, resumed).Data["resumed"])
	require.Equal(t, "channel.changed", next(t, resumed).Type)
	require.Equal(t, tally, next(t, resumed))
	lost := listenSSE(t, server, c.key, "", "Last-Event-ID", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	require.Equal(t, "reset", next(t, lost).Type)
}

func TestAStreamEndsWithItsKey(t *testing.T) {
	node := openNode(t, t.TempDir())
	c, server := newClient(t, node, api.ScopeManage), serveNode(t, node)
	made := c.must(201, "POST", "/v1/keys", `{"scopes":["view"]}`)
	stream := listenSSE(t, server, made.field(t, "key").(string), "")
	next(t, stream)
	c.must(204, "DELETE", "/v1/keys/"+made.field(t, "id").(string), "", "If-Match", "*")
	select {
	case _, open := <-stream:
		require.False(t, open)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it goes on")
	}
}

func dial(t *testing.T, server *httptest.Server, query string, header http.Header) (*websocket.Conn, error) {
	t.Helper()
	conn, answer, err := websocket.Dial(t.Context(), server.URL+"/v1/ws"+query, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		if answer != nil && answer.Body != nil {
			answer.Body.Close()
		}
		return nil, err
	}
	t.Cleanup(func() { conn.CloseNow() })
	return conn, nil
}

// read is the next message that is no heartbeat.
func read(t *testing.T, conn *websocket.Conn) wired {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, text, err := conn.Read(ctx)
		require.NoError(t, err)
		var e wired
		require.NoError(t, json.Unmarshal(text, &e), string(text))
		if e.Type != "heartbeat" {
			return e
		}
	}
}

func TestEventsOverWebSocket(t *testing.T) {
	node := openNode(t, t.TempDir())
	c, server := newClient(t, node, api.ScopeManage), serveNode(t, node)
	bearer := http.Header{"Authorization": {"Bearer " + c.key}}
	conn, err := dial(t, server, "?types=source.*&meters=main", bearer)
	require.NoError(t, err)
	require.Equal(t, "hello", read(t, conn).Type)
	require.Eventually(t, func() bool { return node.bus.Wanted("main") }, 20*time.Second, time.Millisecond)
	node.bus.Publish("channel.state", nil)
	node.bus.Signal("meters", "main", map[string]float64{"peakDb": -12})
	require.Equal(t, map[string]any{"peakDb": -12.0}, read(t, conn).Data)
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(`{"types":["channel.*"]}`)))
	require.Eventually(t, func() bool { return !node.bus.Wanted("main") }, 20*time.Second, time.Millisecond)
	c.must(200, "POST", "/v1/sources/cam1/rotate-key", "")
	node.bus.Publish("channel.state", map[string]string{"channel": "demo"})
	require.Equal(t, "channel.state", read(t, conn).Type)

	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(`{"frob":1}`)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for err == nil {
		_, _, err = conn.Read(ctx)
	}
	require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err))
	require.Eventually(t, func() bool { return node.bus.Readers() == 0 }, 20*time.Second, time.Millisecond)
}

func TestWebSocketsAreOpenedByTheNodesOwnPages(t *testing.T) {
	node := openNode(t, t.TempDir())
	server, nobody := serveNode(t, node), client{t, node, ""}
	opened := nobody.must(200, "POST", "/v1/session", `{"token":"`+node.newLink()+`"}`)
	cookie, _, _ := strings.Cut(opened.header.Get("Set-Cookie"), ";")
	_, err := dial(t, server, "", nil)
	require.ErrorContains(t, err, "401")
	_, err = dial(t, server, "", http.Header{"Cookie": {cookie}, "Origin": {"http://elsewhere.example"}})
	require.ErrorContains(t, err, "403")
	conn, err := dial(t, server, "", http.Header{"Cookie": {cookie}, "Origin": {server.URL}})
	require.NoError(t, err)
	require.Equal(t, "hello", read(t, conn).Type)
	nobody.must(426, "GET", "/v1/ws", "", "Cookie", cookie)
}
