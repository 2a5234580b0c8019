package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"millrace/benchmarks/node"
)

// besideDemo measures readers and control rooms while the demo is on air.
func (c Config) besideDemo(ctx context.Context, figures map[string]float64) error {
	dir, err := os.MkdirTemp("", "millrace-control-")
	if err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	defer os.RemoveAll(dir)
	n, err := node.Start(c.Binary, dir)
	if err != nil {
		return err
	}
	defer n.Stop()
	if err := n.WaitRunning(ctx, "demo"); err != nil {
		return err
	}
	if err := pause(ctx, c.Length); err != nil {
		return err
	}
	alone, err := c.spends(ctx, n)
	if err != nil {
		return err
	}
	began, spent := time.Now(), n.TreeCPU()
	delays, failed := c.read(ctx, n)
	busy := 100 * float64(n.TreeCPU()-spent) / float64(time.Since(began))
	if len(delays) == 0 {
		return fmt.Errorf("read the API: all of %d reads failed", failed)
	}
	figures["apiPercentOfCore"] = busy - alone
	figures["apiReads"], figures["apiReadsFailed"] = float64(len(delays)), float64(failed)
	for name, share := range map[string]int{"apiP50Ms": 50, "apiP99Ms": 99} {
		figures[name] = float64(delays[(len(delays)*share-1)/100]) / float64(time.Millisecond)
	}
	watched, received, err := c.rooms(ctx, n)
	figures["sessionsPercentOfCore"], figures["sessionMessagesPerSecond"] = watched-alone, received
	return err
}

// spends is what the appliance uses, in percent of one core.
func (c Config) spends(ctx context.Context, n *node.Node) (float64, error) {
	began, spent := time.Now(), n.TreeCPU()
	err := pause(ctx, c.Length)
	return 100 * float64(n.TreeCPU()-spent) / float64(time.Since(began)), err
}

// read asks at the rate that is wanted, over connections that stay open, and gives
// the delays from the instant at which each read was due, sorted.
func (c Config) read(ctx context.Context, n *node.Node) (delays []time.Duration, failed int) {
	paths := []string{"/v1/channels/demo/state", "/v1/sources", "/v1/channels/demo", "/v1/system", "/v1/channels/demo/audio"}
	const readers = 50
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: readers}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	began, every := time.Now(), time.Second/time.Duration(c.ReadsPerSecond)
	var mu sync.Mutex
	var all sync.WaitGroup
	for reader := range readers {
		all.Go(func() {
			for i := reader; ; i += readers {
				due := began.Add(time.Duration(i) * every)
				if due.Sub(began) > c.Length || pause(ctx, time.Until(due)) != nil {
					return
				}
				err := get(ctx, client, "http://"+n.Control+paths[i%len(paths)])
				took := time.Since(due)
				mu.Lock()
				if err != nil {
					failed++
				} else {
					delays = append(delays, took)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(delays)
	return delays, failed
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, answer.Status)
	}
	return err
}

// rooms opens control rooms with the demo's meters and gives what the appliance
// uses meanwhile, in percent of one core, and how many messages came a second.
func (c Config) rooms(ctx context.Context, n *node.Node) (share, perSecond float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var mu sync.Mutex
	received := 0
	for range c.Sessions {
		conn, _, err := websocket.Dial(ctx, "ws://"+n.Control+"/v1/ws?meters=demo", nil)
		if err != nil {
			return 0, 0, fmt.Errorf("open control room: %w", err)
		}
		conn.SetReadLimit(1 << 20)
		all.Go(func() {
			defer conn.CloseNow()
			for {
				if _, _, err := conn.Read(ctx); err != nil {
					return
				}
				mu.Lock()
				received++
				mu.Unlock()
			}
		})
	}
	share, err = c.spends(ctx, n)
	mu.Lock()
	defer mu.Unlock()
	return share, float64(received) / c.Length.Seconds(), err
}
