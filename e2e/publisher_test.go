package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"

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
	format := "flv"
	if strings.HasPrefix(to, "srt:") {
		format = "mpegts"
	}
	p := &publisher{t: t, ended: make(chan struct{})}
	args = append([]string{"-hide_banner", "-nostats", "-loglevel", "error"}, args...)
	p.command = exec.Command("ffmpeg", append(args, "-f", format, to)...)
	p.command.Stdout, p.command.Stderr = &p.log, &p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, p.command.Start())
	go func() {
		_ = p.command.Wait() // how it ended is asked for by those who care
		close(p.ended)
	}()
	t.Cleanup(p.stop)
	return p
}

// stop ends the publisher as a pulled cable would: without goodbye.
func (p *publisher) stop() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

// refusal waits for a publisher that is not let in and gives what it printed.
func (p *publisher) refusal() string {
	p.t.Helper()
	<-p.ended
	require.NotZero(p.t, p.command.ProcessState.ExitCode())
	return p.log.String()
}

// playFile sends a file over and over, in real time, without encoding it again.
func playFile(path string) []string {
	return []string{"-re", "-stream_loop", "-1", "-i", path, "-c", "copy"}
}
