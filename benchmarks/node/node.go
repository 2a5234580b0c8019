// Package node runs an appliance for a benchmark: processes of its own on free
// ports of loopback, open to the benchmark.
package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Node is a running appliance.
type Node struct {
	Control, Media string // host:port

	command *exec.Cmd
	client  http.Client
}

// Start runs the binary with its data in dir and more arguments.
func Start(binary, dir string, arguments ...string) (*Node, error) {
	n := &Node{client: http.Client{Timeout: 5 * time.Second}}
	var addresses []string
	for range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find free port: %w", err)
		}
		addresses = append(addresses, listener.Addr().String())
		if err := listener.Close(); err != nil {
			return nil, fmt.Errorf("free port: %w", err)
		}
	}
	n.Control, n.Media = addresses[0], addresses[1]
	text := fmt.Sprintf("node: {dataDir: %s}\ncontrol: {listen: %q}\nmedia: {listen: %q}\ningest: {rtmp: %q, srt: \"127.0.0.1:0\"}\nwebrtc: {listen: \"127.0.0.1:0\"}\nauth: {mode: off}\n",
		dir, addresses[0], addresses[1], addresses[2])
	file := filepath.Join(dir, "millrace.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	n.command = exec.Command(binary, append([]string{"serve", "--config", file}, arguments...)...)
	n.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return n, nil
}

// Pid is the server's.
func (n *Node) Pid() int { return n.command.Process.Pid }

// CPU is the user and system time of the server and of those of its children
// that have ended.
func (n *Node) CPU() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.Pid()))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name in brackets may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0
	}
	var sum int64
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime: proc(5)
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		sum += ticks
	}
	return time.Duration(sum) * clockTick
}

// clockTick is the unit of CPU times in /proc: 1/100 s on Linux.
const clockTick = 10 * time.Millisecond

// Stop ends the appliance and waits for it.
func (n *Node) Stop() {
	// It may have ended; Wait says so.
	_ = n.command.Process.Signal(syscall.SIGTERM)
	_ = n.command.Wait()
}

// Call asks the control API and decodes the answer into a value, if one is
// given; an answer that is no success is an error.
func (n *Node) Call(ctx context.Context, method, path string, body, into any) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+n.Control+path, reader)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("If-Match", "*")
	answer, err := n.client.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// startLimit is how long an appliance may take to be on air on a busy machine.
const startLimit = time.Minute

// WaitReady waits until the control API answers.
func (n *Node) WaitReady(ctx context.Context) error {
	return n.wait(ctx, "the appliance", func(ctx context.Context) error {
		var system struct{}
		return n.Call(ctx, http.MethodGet, "/v1/system", nil, &system)
	})
}

// WaitRunning waits until a channel is on air.
func (n *Node) WaitRunning(ctx context.Context, channel string) error {
	return n.wait(ctx, "channel "+channel, func(ctx context.Context) error {
		var state struct{ State string }
		err := n.Call(ctx, http.MethodGet, "/v1/channels/"+channel+"/state", nil, &state)
		if err == nil && state.State != "running" {
			err = fmt.Errorf("it is %s", state.State)
		}
		return err
	})
}

func (n *Node) wait(ctx context.Context, what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
}
