package rtmp

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/message"

	"millrace/ingest"
	"millrace/internal/rtmp"
)

const (
	// handshakeBytes is what a server says before its first chunk: S0, S1 and S2
	// (RTMP 1.0 §5.2).
	handshakeBytes = 1 + 1536 + 1536
	greetingLimit  = 1 << 20 // bytes of chunks before a server plays
	messageLimit   = 32 << 20
)

// Pull plays an rtmp or rtmps URL of another server and hands its media to a
// session until the context or the feed ends, and says what ended it. connect is
// called when the server plays.
func Pull(ctx context.Context, from *url.URL, dialer *net.Dialer, connect func() (ingest.Session, error)) (err error) {
	var tapped *tap
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil && from.Scheme == "rtmps" {
			secure := tls.Client(conn, &tls.Config{ServerName: from.Hostname()})
			if err = secure.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
			}
			conn = secure
		}
		if err != nil {
			return nil, err
		}
		tapped = &tap{Conn: conn}
		return tapped, nil
	}
	client := &gortmplib.Client{URL: from, DialContext: dial, DialTLSContext: dial}
	greeting, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	if err := client.Initialize(greeting); err != nil {
		return fmt.Errorf("play: %w", err)
	}
	defer client.Close()
	session, err := connect()
	if err != nil {
		return err
	}
	defer func() { session.Close(err) }()
	p := puller{client: client, tap: tapped, session: session}
	return p.run(ctx)
}

// tap keeps what the library reads while it greets the server, so that our own
// reader, which follows every change of the streams, can begin with it.
type tap struct {
	net.Conn
	kept bytes.Buffer
	open bool // nothing is kept any more
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if !t.open {
		if t.kept.Len()+n > handshakeBytes+greetingLimit {
			return 0, errors.New("the server says too much before it plays")
		}
		t.kept.Write(b[:n])
	}
	return n, err
}

// puller is one feed that is pulled. One goroutine.
type puller struct {
	client  *gortmplib.Client
	tap     *tap
	session ingest.Session
	tracks  tracks

	received, told int64 // bytes
	window         int64 // that the server wants acknowledged; 0: none
}

// Read counts what the reader takes.
func (p *puller) Read(b []byte) (n int, err error) {
	if p.tap.kept.Len() > 0 {
		n, err = p.tap.kept.Read(b)
	} else {
		n, err = p.tap.Conn.Read(b)
	}
	p.received += int64(n)
	return n, err
}

func (p *puller) run(ctx context.Context) error {
	p.tap.open = true
	if p.tap.kept.Len() < handshakeBytes {
		return errors.New("play: the server speaks another protocol")
	}
	p.tap.kept.Next(handshakeBytes)
	gone := make(chan struct{})
	var watch sync.WaitGroup
	defer watch.Wait()
	defer close(gone)
	watch.Go(func() { p.watch(ctx, gone) })
	reader := rtmp.NewReader(p, messageLimit)
	deadline := time.Now().Add(stallTimeout)
	for {
		_ = p.tap.SetReadDeadline(deadline) // a connection that is gone fails to read
		m, err := reader.Next()
		if err != nil {
			return p.ended(ctx, err)
		}
		timely, err := p.take(m)
		if err != nil {
			return err
		}
		if timely {
			deadline = time.Now().Add(stallTimeout)
		}
	}
}

// watch closes the connection when the context ends.
func (p *puller) watch(ctx context.Context, gone <-chan struct{}) {
	select {
	case <-gone:
	case <-ctx.Done():
		_ = p.tap.Close()
	}
}

// take handles one message.
func (p *puller) take(m rtmp.Message) (timely bool, err error) {
	switch m.Type {
	case rtmp.TypeAudio, rtmp.TypeVideo:
		timely, err = p.tracks.take(m, p.session.Write)
	case rtmp.TypeWindowAckSize:
		if len(m.Body) == 4 {
			p.window = int64(binary.BigEndian.Uint32(m.Body))
		}
	case rtmp.TypeUserControl:
		if len(m.Body) == 6 && binary.BigEndian.Uint16(m.Body) == 6 { // PingRequest (RTMP 1.0 §7.1.7)
			err = p.client.Write(&message.UserControlPingResponse{ServerTime: binary.BigEndian.Uint32(m.Body[2:])})
		}
	}
	if err == nil && p.window > 0 && p.received-p.told >= p.window {
		p.told = p.received
		err = p.client.Write(&message.Acknowledge{Value: uint32(p.told)})
	}
	return timely, err
}

func (p *puller) ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ingest.ErrDown
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrStalled
	case errors.Is(err, io.EOF):
		return errors.New("the server ended the feed")
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
