package rtctest

import (
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// Relay is a UDP path between a client and a server that can be cut.
type Relay struct {
	conn   *net.UDPConn
	cut    atomic.Bool
	late   sync.WaitGroup // packets under way
	mu     sync.Mutex
	delay  time.Duration
	loss   float64
	rnd    *rand.Rand
	server *net.UDPAddr
	client *net.UDPAddr
}

// NewRelay is a relay until the test ends.
func NewRelay(t testing.TB) *Relay {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	r := &Relay{conn: conn, rnd: rand.New(rand.NewPCG(1, 2))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
		r.late.Wait()
	})
	return r
}

func (r *Relay) run() {
	buffer := make([]byte, 2048)
	for {
		n, from, err := r.conn.ReadFromUDP(buffer)
		if err != nil {
			return
		}
		r.mu.Lock()
		to := r.client
		if r.server == nil || from.Port != r.server.Port {
			r.client, to = from, r.server
		}
		delay, lost := r.delay, r.rnd.Float64() < r.loss
		r.mu.Unlock()
		switch {
		case to == nil || lost || r.cut.Load():
		case delay > 0:
			packet := slices.Clone(buffer[:n])
			r.late.Add(1)
			time.AfterFunc(delay, func() {
				defer r.late.Done()
				_, _ = r.conn.WriteToUDP(packet, to)
			})
		default:
			_, _ = r.conn.WriteToUDP(buffer[:n], to)
		}
	}
}

// Disturb delays every packet, and loses a share of them.
func (r *Relay) Disturb(delay time.Duration, loss float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay, r.loss = delay, loss
}

// Cut lets nothing through any more.
func (r *Relay) Cut() { r.cut.Store(true) }

var udpCandidate = regexp.MustCompile(`(a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 )(\d+)( typ host)`)

// Connect makes a session whose media go through the relay.
func (r *Relay) Connect(t testing.TB, pc *webrtc.PeerConnection, base, path, key string) *Client {
	t.Helper()
	// No candidates of the client's, so that the server knows the relay only.
	var kept []string
	for line := range strings.SplitSeq(Offer(t, pc), "\r\n") {
		if !strings.HasPrefix(line, "a=candidate") {
			kept = append(kept, line)
		}
	}
	return connect(t, pc, strings.Join(kept, "\r\n"), base, path, key, func(answer string) string {
		found := udpCandidate.FindStringSubmatch(answer)
		require.NotNil(t, found, answer)
		address, err := net.ResolveUDPAddr("udp", "127.0.0.1:"+found[2])
		require.NoError(t, err)
		r.mu.Lock()
		r.server = address
		r.mu.Unlock()
		_, port, err := net.SplitHostPort(r.conn.LocalAddr().String())
		require.NoError(t, err)
		return udpCandidate.ReplaceAllString(answer, "${1}"+port+"${3}")
	})
}
