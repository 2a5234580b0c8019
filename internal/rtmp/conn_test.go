package rtmp

import (
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/stretchr/testify/require"
)

// client is the other end, of the library. It reads in its own goroutine, for
// a pipe holds nothing.
type client struct {
	*message.Writer
	conn   net.Conn
	shaken chan struct{}        // closed after the handshake
	said   chan message.Message // closed at the end
}

// dial gives both ends of a connection; the client shakes hands by itself.
func dial(t *testing.T) (*Conn, *client) {
	t.Helper()
	near, far := net.Pipe()
	c := &client{conn: far, shaken: make(chan struct{}), said: make(chan message.Message, 100)}
	go func() {
		defer close(c.said)
		if _, _, err := handshake.DoClient(far, false, true); err != nil {
			return
		}
		close(c.shaken)
		r := message.NewReader(far, bytecounter.NewReader(far), nil)
		for {
			m, err := r.Read()
			if err != nil {
				return
			}
			c.said <- m
		}
	}()
	c.Writer = message.NewWriter(far, bytecounter.NewWriter(far), false)
	t.Cleanup(func() {
		near.Close()
		far.Close()
		for range c.said {
		}
	})
	return NewConn(near), c
}

func (c *client) call(t *testing.T, name string, id int, arguments ...any) {
	t.Helper()
	require.NoError(t, c.Write(&message.CommandAMF0{ChunkStreamID: 3, Name: name, CommandID: id, Arguments: arguments}))
}

// hear is the next command from the server.
func (c *client) hear(t *testing.T) *message.CommandAMF0 {
	t.Helper()
	for {
		select {
		case m, ok := <-c.said:
			require.True(t, ok, "connection closed")
			if call, ok := m.(*message.CommandAMF0); ok {
				return call
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing said in 10 s")
		}
	}
}

type greeting struct {
	publish Publish
	err     error
}

func greet(c *Conn) chan greeting {
	done := make(chan greeting, 1)
	go func() {
		p, err := c.Greet()
		done <- greeting{p, err}
	}()
	return done
}

// shaken is a connection after the handshake.
func shaken(t *testing.T) (*Conn, *client, chan greeting) {
	t.Helper()
	server, c := dial(t)
	done := greet(server)
	select {
	case <-c.shaken:
	case <-time.After(10 * time.Second):
		t.Fatal("no handshake in 10 s")
	}
	return server, c, done
}

func info(t *testing.T, call *message.CommandAMF0) amf0.Object {
	t.Helper()
	require.Len(t, call.Arguments, 2)
	o, ok := call.Arguments[1].(amf0.Object)
	require.True(t, ok)
	return o
}

func TestPublishExchange(t *testing.T) {
	server, c, done := shaken(t)
	c.call(t, "connect", 1, amf0.Object{
		{Key: "app", Value: "live"}, {Key: "tcUrl", Value: "rtmp://h/live"}, {Key: "capsEx", Value: float64(1)},
	})
	connected := c.hear(t)
	require.Equal(t, "_result", connected.Name)
	code, _ := info(t, connected).GetString("code")
	require.Equal(t, "NetConnection.Connect.Success", code)

	// R07: the connect reply states the capabilities.
	for _, argument := range connected.Arguments {
		o := argument.(amf0.Object)
		caps, _ := o.GetFloat64("capsEx")
		require.EqualValues(t, 0b1110, caps)
		list, _ := o.Get("fourCcList")
		require.Equal(t, amf0.StrictArray{"avc1", "hvc1", "av01", "vp09", "mp4a", "Opus", ".mp3", "ac-3"}, list)
	}

	for i, name := range []string{"releaseStream", "FCPublish", "_checkbw", "getStreamLength", "createStream"} {
		c.call(t, name, i+2, nil, "stream")
		reply := c.hear(t)
		require.Equal(t, "_result", reply.Name, name)
		require.Equal(t, i+2, reply.CommandID)
	}
	c.call(t, "setSomething", 9, nil)
	unknown := c.hear(t)
	require.Equal(t, []any{"_error", 9}, []any{unknown.Name, unknown.CommandID})
	c.call(t, "onSomething", 0, nil)
	c.call(t, "FCUnpublish", 10, nil, "before it began")

	c.call(t, "publish", 11, nil, "name?key=1", "live")
	g := <-done
	require.NoError(t, g.err)
	require.Equal(t, Publish{App: "live", TCURL: "rtmp://h/live", Stream: "name?key=1"}, g.publish)
	require.Empty(t, c.said, "nothing is granted before Start")
	require.NoError(t, server.Start())
	code, _ = info(t, c.hear(t)).GetString("code")
	require.Equal(t, "NetStream.Publish.Start", code)

	// R08: a client that understands it is asked to connect again.
	require.NoError(t, server.RequestReconnect("rtmp://other/live", "Updates."))
	request := info(t, c.hear(t))
	level, _ := request.GetString("level")
	code, _ = request.GetString("code")
	url, _ := request.GetString("tcUrl")
	require.Equal(t, []string{"status", "NetConnection.Connect.ReconnectRequest", "rtmp://other/live"}, []string{level, code, url})

	sent := make(chan error, 1)
	go func() {
		sent <- c.Write(&message.Audio{ChunkStreamID: 4, Codec: message.CodecMPEG4Audio, AU: []byte{1}, AACType: 1})
	}()
	m, err := server.Media()
	require.NoError(t, err)
	require.NoError(t, <-sent)
	require.EqualValues(t, TypeAudio, m.Type)
	go func() {
		sent <- c.Write(&message.CommandAMF0{ChunkStreamID: 3, Name: "deleteStream", CommandID: 12, Arguments: amf0.Data{nil, 1.0}})
	}()
	_, err = server.Media()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, <-sent)
}

func TestPlayIsRefusedWithASentence(t *testing.T) {
	_, c, done := shaken(t)
	c.call(t, "connect", 1, amf0.ECMAArray{{Key: "app", Value: "live"}})
	c.hear(t)
	c.call(t, "play", 2, nil, "x")
	said := info(t, c.hear(t))
	level, _ := said.GetString("level")
	description, _ := said.GetString("description")
	require.Equal(t, "error", level)
	require.Contains(t, description, "does not play")
	require.ErrorIs(t, (<-done).err, ErrPlay)
}

func TestPingAndAcknowledgement(t *testing.T) {
	_, c, done := shaken(t)
	require.NoError(t, c.Write(&message.SetWindowAckSize{Value: 1}))
	c.call(t, "connect", 1, amf0.Object{{Key: "app", Value: "live"}})
	c.hear(t)
	require.NoError(t, c.Write(&message.UserControlPingRequest{ServerTime: 77}))
	require.Equal(t, &message.UserControlPingResponse{ServerTime: 77}, <-c.said)
	for range leastWindow/(4<<10) + 1 {
		require.NoError(t, c.Write(&message.DataAMF0{ChunkStreamID: 4, Payload: amf0.Data{strings.Repeat("x", 4<<10)}}))
	}
	ack, ok := (<-c.said).(*message.Acknowledge)
	require.True(t, ok)
	require.Greater(t, ack.Value, uint32(leastWindow))
	require.Empty(t, c.said, "no more than one per 64 KiB")
	c.conn.Close()
	require.Error(t, (<-done).err)
}

func TestGreetRefusesWhatIsNotRTMP(t *testing.T) {
	for name, send := range map[string]func(*testing.T, *client){
		"publish before connect": func(t *testing.T, c *client) { c.call(t, "publish", 1, nil, "x") },
		"connect without app":    func(t *testing.T, c *client) { c.call(t, "connect", 1, amf0.Object{}) },
		"connect with nothing":   func(t *testing.T, c *client) { c.call(t, "connect", 1, nil) },
		"F23 long command": func(t *testing.T, c *client) {
			c.call(t, "connect", 1, amf0.Object{{Key: "app", Value: strings.Repeat("x", maxCommand)}})
		},
		"F23 deep command": func(t *testing.T, c *client) {
			var deep any
			for range maxCommand / 5 {
				deep = amf0.StrictArray{deep}
			}
			c.call(t, "connect", 1, deep)
		},
		"publish without name": func(t *testing.T, c *client) {
			c.call(t, "connect", 1, amf0.Object{{Key: "app", Value: "live"}, {Key: "capsEx", Value: math.NaN()}})
			c.hear(t)
			c.call(t, "publish", 2, nil, 5.0)
		},
		"publish twice": func(t *testing.T, c *client) {
			c.call(t, "connect", 1, amf0.Object{{Key: "app", Value: "live"}})
			c.hear(t)
			c.call(t, "publish", 2, nil, "a")
			c.call(t, "publish", 2, nil, "a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, c, done := shaken(t)
			sent := make(chan struct{})
			go func() { defer close(sent); send(t, c) }()
			g := <-done
			if g.err == nil {
				_, g.err = server.Media()
			}
			require.ErrorIs(t, g.err, ErrProtocol)
			c.conn.Close()
			<-sent
		})
	}
}

// R01: version 3 and nothing else; nothing is read or said beyond a bad byte.
func TestR01Handshake(t *testing.T) {
	for _, version := range []byte{0, 2, 4, 6, 'G', 0x16} {
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- Handshake(near) }()
		n, err := far.Write([]byte{version})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.ErrorIs(t, <-done, ErrProtocol)
		near.Close()
		rest, err := io.ReadAll(far)
		require.NoError(t, err)
		require.Empty(t, rest)
		far.Close()
	}
}
