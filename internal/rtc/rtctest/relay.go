package rtctest

import (
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// Relay is a UDP path between a client and a server that can be shaped and cut.
type Relay struct {
	conn     *net.UDPConn
	cut      atomic.Bool
	up, down *lane          // from the client, to the client
	late     sync.WaitGroup // packets under way out of their order

	mu     sync.Mutex
	server *net.UDPAddr
	client *net.UDPAddr
}

// NewRelay is a relay until the test ends.
func NewRelay(t testing.TB) *Relay {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	r := &Relay{conn: conn, up: newLane(1), down: newLane(2)}
	var running sync.WaitGroup
	for _, l := range []*lane{r.up, r.down} {
		running.Go(func() { l.carry(conn) })
	}
	running.Go(func() {
		r.run()
		close(r.up.queue)
		close(r.down.queue)
	})
	t.Cleanup(func() {
		_ = conn.Close()
		running.Wait()
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
		to, l := r.client, r.down
		if r.server == nil || from.Port != r.server.Port {
			r.client, to, l = from, r.server, r.up
		}
		r.mu.Unlock()
		if to == nil || r.cut.Load() {
			continue
		}
		for _, packet := range l.take(buffer[:n], to, time.Now()) {
			r.late.Add(1)
			time.AfterFunc(time.Until(packet.at), func() {
				defer r.late.Done()
				_, _ = r.conn.WriteToUDP(packet.data, packet.to) // lost, as on the wire
			})
		}
	}
}

// Shape makes both directions such a path.
func (r *Relay) Shape(p Path) {
	r.up.shape(p)
	r.down.shape(p)
}

// ShapeDown makes the direction to the client such a path.
func (r *Relay) ShapeDown(p Path) { r.down.shape(p) }

// ShapeUp makes the direction from the client such a path.
func (r *Relay) ShapeUp(p Path) { r.up.shape(p) }

// Disturb delays every packet, and loses a share of them, both ways.
func (r *Relay) Disturb(delay time.Duration, loss float64) { r.Shape(Path{Delay: delay, Loss: loss}) }

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
