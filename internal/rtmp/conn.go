package rtmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/message"
)

const (
	windowSize   = 2_500_000 // bytes between acknowledgements that we ask for
	leastWindow  = 64 << 10  // bytes; more frequent acknowledgements are not sent
	maxCommand   = 16 << 10  // bytes of a command, which also bounds its depth
	maxGreeting  = 64 << 10  // bytes claimed by messages before Start
	maxMessage   = 12 << 20  // bytes claimed by messages after it
	writeTimeout = 5 * time.Second
)

// Conn is the server's end of a connection with a publisher. Greet, Start and
// Media are for one goroutine, the rest for any. Read deadlines are the
// caller's, on the net.Conn; a write fails after 5 s.
type Conn struct {
	conn     net.Conn
	received atomic.Uint64
	reader   *Reader
	exchange exchange

	writing sync.Mutex
	writer  *message.Writer

	window       uint64 // bytes; the client wants an acknowledgement after as many
	acknowledged uint64
	deaf         bool // it has been left unread for long
}

// Publish is what a client asks for, as it sent it.
type Publish struct {
	App    string
	TCURL  string // what the client believes to have connected to
	Stream string
}

// NewConn is a connection of which no byte has been read.
func NewConn(conn net.Conn) *Conn {
	c := &Conn{conn: conn}
	c.reader = NewReader(countingReader{conn, &c.received}, maxGreeting)
	w := deadlineWriter{conn}
	c.writer = message.NewWriter(w, bytecounter.NewWriter(w), false)
	return c
}

// Received counts the bytes that came.
func (c *Conn) Received() uint64 { return c.received.Load() }

// Reconnects says whether the client understands RequestReconnect. It is known
// once Greet has returned.
func (c *Conn) Reconnects() bool { return c.exchange.reconnects }

// Greet shakes hands and answers commands until the client asks to publish. It
// must then be told Start or Refuse. A client that wants to play has been
// refused when ErrPlay comes.
func (c *Conn) Greet() (Publish, error) {
	if err := Handshake(struct {
		io.Reader
		io.Writer
	}{countingReader{c.conn, &c.received}, deadlineWriter{c.conn}}); err != nil {
		return Publish{}, err
	}
	for {
		_, ev, err := c.next()
		if err != nil {
			return Publish{}, err
		}
		switch ev {
		case publishAsked:
			e := &c.exchange
			return Publish{App: e.app, TCURL: e.tcURL, Stream: e.stream}, nil
		case playAsked:
			return Publish{}, ErrPlay
		}
	}
}

// Start lets the client publish.
func (c *Conn) Start() error {
	c.reader.SetLimit(maxMessage)
	return c.send(status("status", codePublishStart, "Publishing."))
}

// Refuse tells the client why it may not publish, or no longer.
func (c *Conn) Refuse(code, description string) error {
	const most = 200 // bytes of a description
	description = description[:min(len(description), most)]
	return c.send(status("error", code, description))
}

// RequestReconnect asks the client to connect again, to tcURL or, if that is
// empty, to where it is connected now; it goes on publishing until it has
// (E-RTMP v2, "Reconnect Request"). Clients that do not know it are not told.
func (c *Conn) RequestReconnect(tcURL, description string) error {
	if !c.exchange.reconnects {
		return nil
	}
	var to []amf0.ObjectEntry
	if tcURL != "" {
		to = append(to, amf0.ObjectEntry{Key: "tcUrl", Value: tcURL})
	}
	m := status("status", codeReconnect, description, to...)
	m.MessageStreamID = 0 // it is of the NetConnection, not of the stream
	return c.send(m)
}

// Media is the next audio or video message; everything else is seen to here.
// io.EOF says that the client took its leave; without that a connection that
// is closed ends with io.ErrUnexpectedEOF.
func (c *Conn) Media() (Message, error) {
	for {
		m, ev, err := c.next()
		switch {
		case errors.Is(err, io.EOF):
			return Message{}, io.ErrUnexpectedEOF
		case err != nil:
			return Message{}, err
		case m.Type == TypeAudio || m.Type == TypeVideo:
			return m, nil
		case ev == goodbye:
			return Message{}, io.EOF
		case ev == playAsked:
			return Message{}, ErrPlay
		}
	}
}

// next reads one message and does what it asks of the connection.
func (c *Conn) next() (Message, event, error) {
	m, err := c.reader.Next()
	if err != nil {
		return m, nothing, err
	}
	c.acknowledge()
	switch m.Type {
	case TypeWindowAckSize:
		if len(m.Body) >= 4 {
			c.window = uint64(max(binary.BigEndian.Uint32(m.Body), leastWindow))
		}
	case TypeUserControl:
		const pingRequest = 6
		if len(m.Body) >= 6 && binary.BigEndian.Uint16(m.Body) == pingRequest {
			c.oblige(&message.UserControlPingResponse{ServerTime: binary.BigEndian.Uint32(m.Body[2:])})
		}
	case TypeCommandAMF3:
		// AMF0 behind a byte that chooses the format (E-RTMP v2, "AMF3").
		if len(m.Body) > 0 {
			return c.command(m, m.Body[1:])
		}
	case TypeCommandAMF0:
		return c.command(m, m.Body)
	}
	return m, nothing, nil
}

func (c *Conn) command(m Message, body []byte) (Message, event, error) {
	call, err := command(body)
	switch {
	case err != nil && c.exchange.publishing:
		return m, nothing, nil // nothing that is needed any more
	case err != nil:
		return m, nothing, err
	}
	replies, ev, err := c.exchange.answer(call)
	if err != nil {
		return m, nothing, err
	}
	return m, ev, c.send(replies...)
}

// acknowledge tells the client how much came, once per window.
func (c *Conn) acknowledge() {
	n := c.received.Load()
	if c.window == 0 || n-c.acknowledged < c.window {
		return
	}
	c.acknowledged = n
	c.oblige(&message.Acknowledge{Value: uint32(n)})
}

// oblige sends what a client can do without. Some encoders never read: they
// are told nothing more once a write has timed out, and may go on publishing.
func (c *Conn) oblige(m message.Message) {
	if !c.deaf {
		c.deaf = c.send(m) != nil
	}
}

func (c *Conn) send(messages ...message.Message) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	for _, m := range messages {
		if err := c.writer.Write(m); err != nil {
			// Not %w: a write that timed out is no silence of the client.
			return fmt.Errorf("reply: %v", err)
		}
	}
	return nil
}

type countingReader struct {
	io.Reader
	n *atomic.Uint64
}

func (r countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.n.Add(uint64(n))
	return n, err
}

type deadlineWriter struct{ net.Conn }

func (w deadlineWriter) Write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}
