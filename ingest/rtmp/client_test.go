package rtmp

import (
	"net"
	"testing"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/stretchr/testify/require"
)

// client publishes by hand, with the messages of an independent library.
type client struct {
	*message.Writer
	conn   net.Conn
	said   chan amf0.Object // info objects of what the server said; closed at the end
	gone   chan struct{}
	failed error
}

// greetBy shakes hands and asks to publish KEY. It needs no answer to go on.
func greetBy(t *testing.T, conn net.Conn, key string, properties ...amf0.ObjectEntry) *client {
	t.Helper()
	_, _, err := handshake.DoClient(conn, false, true)
	require.NoError(t, err)
	c := &client{conn: conn, said: make(chan amf0.Object, 100), gone: make(chan struct{})}
	c.Writer = message.NewWriter(conn, bytecounter.NewWriter(conn), false)
	go c.listen()
	c.call(t, "connect", 1, append(amf0.Object{{Key: "app", Value: "live"}}, properties...))
	c.call(t, "createStream", 2, nil)
	c.call(t, "publish", 3, nil, key, "live")
	return c
}

func (c *client) listen() {
	defer close(c.gone)
	r := message.NewReader(c.conn, bytecounter.NewReader(c.conn), nil)
	for {
		m, err := r.Read()
		if err != nil {
			c.failed = err
			return
		}
		if call, ok := m.(*message.CommandAMF0); ok && call.Name == "onStatus" {
			c.said <- call.Arguments[1].(amf0.Object)
		}
	}
}

func (c *client) call(t *testing.T, name string, id int, arguments ...any) {
	t.Helper()
	require.NoError(t, c.Write(&message.CommandAMF0{ChunkStreamID: 3, Name: name, CommandID: id, Arguments: arguments}))
}

// hear is code and description of the server's next status.
func (c *client) hear() (code, description string) {
	said := <-c.said
	code, _ = said.GetString("code")
	description, _ = said.GetString("description")
	return code, description
}

// mp3 sends one frame that needs no configuration.
func (c *client) mp3() error {
	return c.Write(&message.Audio{
		ChunkStreamID: 4, MessageStreamID: 1 << 24, Codec: message.CodecMPEG1Audio, AU: []byte{0xff, 0xfb, 0x90, 0x64, 0},
	})
}

// ports is a listener of pipes, for bubbles without a network.
type ports struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPorts() *ports { return &ports{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *ports) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *ports) Close() error   { close(p.closed); return nil }
func (p *ports) Addr() net.Addr { return &net.TCPAddr{} }

func (p *ports) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- near
	return far
}
