package appliance

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

// pipes is a listener that hands out one connection.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// connect serves one connection until the test ends.
func connect(t *testing.T, handler http.HandlerFunc) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	p := pipes{make(chan net.Conn, 1), make(chan struct{})}
	p.conns <- there
	server := controlServer(handler, slog.New(slog.DiscardHandler))
	ended := make(chan error)
	go func() { ended <- server.Serve(p) }()
	t.Cleanup(func() {
		here.Close()
		close(p.ended)
		<-ended
		require.NoError(t, server.Close())
	})
	return here
}

func TestSlowBodiesAreCutOff(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"read": func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
		},
		"not read": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := connect(t, handler)
				answered := make(chan time.Time, 1)
				go func() {
					_, err := io.Copy(io.Discard, conn)
					answered <- time.Now()
					_ = err // however it ended
				}()
				began := time.Now()
				_, err := fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
				for err == nil && time.Since(began) < 10*time.Minute {
					time.Sleep(time.Second)
					_, err = fmt.Fprint(conn, "1\r\n \r\n")
				}
				require.Error(t, err, "it may go on for ever")
				require.Less(t, (<-answered).Sub(began), 2*bodyPause)
			})
		})
	}
}

func TestWhatComesOfARequestTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := connect(t, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				select {
				case <-time.After(2 * time.Minute):
				case <-r.Context().Done():
					w.WriteHeader(http.StatusTeapot)
				}
			}
		})
		go func() { fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}") }()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, 200, answer.StatusCode)
		require.NoError(t, answer.Body.Close())
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	wrong := func(n int) string {
		return `{"id":"q","canvas":{"width":320,"height":180,"rate":"25"},"ladder":[],"sources":[` + strings.Repeat(`"A",`, n) + `"A"]}`
	}
	for _, n := range []int{10_000, 200_000} {
		refused := c.must(422, "POST", "/v1/channels", wrong(n))
		require.Less(t, len(refused.body), 20_000)
	}
	c.must(413, "POST", "/v1/session", `{"token":"`+strings.Repeat("x", 10_000)+`"}`)
	for _, at := range []string{`{"frame":9223372036854775807}`, `"9999-12-31T23:59:59Z"`} {
		require.Contains(t, c.must(422, "POST", "/v1/channels/demo/cut", `{"scene":"grid","at":`+at+`}`).body, `"/at"`)
	}
}
