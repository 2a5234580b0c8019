package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// publisher is an ffmpeg that sends as an encoder would, until it is stopped.
type publisher struct {
	t       *testing.T
	command *exec.Cmd
	log     bytes.Buffer
	ended   chan struct{}
}

// publish starts ffmpeg with input and codec arguments and an address, which
// names the container: FLV for RTMP, MPEG-TS for SRT.
func publish(t *testing.T, to string, args ...string) *publisher {
	t.Helper()
	p := newPublisher(t, to, args...)
	require.NoError(t, p.start())
	t.Cleanup(p.stop)
	return p
}

func newPublisher(t *testing.T, to string, args ...string) *publisher {
	format := "flv"
	if strings.HasPrefix(to, "srt:") {
		format = "mpegts"
	}
	p := &publisher{t: t, ended: make(chan struct{})}
	args = append([]string{"-hide_banner", "-nostats", "-nostdin", "-loglevel", "error"}, args...)
	p.command = exec.Command("ffmpeg", append(args, "-f", format, to)...)
	p.command.Stdout, p.command.Stderr = &p.log, &p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p
}

func (p *publisher) start() error {
	if err := p.command.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.command.Wait() // how it ended is asked for by those who care
		close(p.ended)
	}()
	return nil
}

// stop ends the publisher as a pulled cable would: without goodbye.
func (p *publisher) stop() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

// freeze leaves the publisher's connection open and says nothing more on it,
// as a network that swallows everything does.
func (p *publisher) freeze() {
	p.t.Helper()
	require.NoError(p.t, p.command.Process.Signal(syscall.SIGSTOP))
}

// said waits until the publisher has ended by itself and gives what it printed.
func (p *publisher) said(limit time.Duration) string {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		require.Fail(p.t, "the publisher did not end")
	}
	return p.log.String()
}

// refusal waits for a publisher that is not let in and gives what it printed.
func (p *publisher) refusal() string {
	p.t.Helper()
	said := p.said(15 * time.Second)
	require.NotZero(p.t, p.command.ProcessState.ExitCode(), said)
	return said
}

// encoder is a publisher that connects again whenever its connection breaks.
type encoder struct {
	t           *testing.T
	connections atomic.Int64 // begun
	seen        int64        // by connectsAgain
	stop, ended chan struct{}
}

// retryDelay is how long an encoder waits before it connects again.
const retryDelay = 300 * time.Millisecond

// keepPublishing publishes until the test ends.
func keepPublishing(t *testing.T, to string, args ...string) *encoder {
	e := &encoder{t: t, seen: 1, stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(e.ended)
		for {
			p := newPublisher(t, to, args...)
			if p.start() != nil {
				return // no ffmpeg: publish says so elsewhere
			}
			e.connections.Add(1)
			select {
			case <-p.ended:
			case <-e.stop:
				p.stop()
				return
			}
			select {
			case <-time.After(retryDelay):
			case <-e.stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(e.stop); <-e.ended })
	return e
}

// connectsAgain waits until the encoder has noticed that it was cut off.
func (e *encoder) connectsAgain() {
	e.t.Helper()
	eventually(e.t, 20*time.Second, "the encoder connects again", func() bool { return e.connections.Load() > e.seen })
	e.seen = e.connections.Load()
}

// playFile sends a file over and over, in real time, without encoding it again.
func playFile(path string) []string {
	return []string{"-re", "-stream_loop", "-1", "-i", path, "-c", "copy"}
}
