package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is bin/millrace, built once for all tests of the package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "millrace")
	build := exec.Command("go", "build", "-o", path, "../cmd/millrace")
	build.Stderr = os.Stderr
	return path, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// appliance is a running node of the test's own.
type appliance struct {
	t       *testing.T
	dir     string
	command *exec.Cmd
	log     *logFile
	key     string // of the scope manage

	control, media, rtmp, srt string // host:port
}

// logFile keeps what the node says, for when the test fails.
type logFile struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logFile) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer conn.Close()
		return conn.LocalAddr().String()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// startAppliance starts a node without the demo and waits until it is ready.
func startAppliance(t *testing.T) *appliance {
	t.Helper()
	a := &appliance{
		t: t, dir: t.TempDir(),
		control: freeAddress(t, "tcp"), media: freeAddress(t, "tcp"), rtmp: freeAddress(t, "tcp"), srt: freeAddress(t, "udp"),
	}
	text := fmt.Sprintf("node: {dataDir: %s}\ncontrol: {listen: %q}\nmedia: {listen: %q}\ningest: {rtmp: %q, srt: %q}\n",
		filepath.Join(a.dir, "data"), a.control, a.media, a.rtmp, a.srt)
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, "millrace.yaml"), []byte(text), 0o600))
	a.key = a.token("manage")
	a.start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the node said:\n%s", a.log)
		}
	})
	return a
}

func (a *appliance) run(args ...string) string {
	a.t.Helper()
	path, err := binary()
	require.NoError(a.t, err)
	command := exec.Command(path, args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	require.NoError(a.t, err)
	return strings.TrimSpace(string(out))
}

func (a *appliance) token(scope string) string {
	a.t.Helper()
	return a.run("token", "create", "--config", filepath.Join(a.dir, "millrace.yaml"), "--scope", scope)
}

func (a *appliance) start() {
	a.t.Helper()
	path, err := binary()
	require.NoError(a.t, err)
	a.log = &logFile{}
	a.command = exec.Command(path, "serve", "--no-demo", "--config", filepath.Join(a.dir, "millrace.yaml"))
	a.command.Stdout, a.command.Stderr = a.log, a.log
	a.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(a.t, a.command.Start())
	a.t.Cleanup(a.stop)
	a.eventually(20*time.Second, "the node is ready", func() bool {
		answer, err := http.Get("http://" + a.control + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// stop ends the node as an operator would and holds it to exit code 0.
func (a *appliance) stop() {
	if a.command == nil {
		return
	}
	command := a.command
	a.command = nil
	_ = command.Process.Signal(syscall.SIGTERM) // it may have been killed by the test
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	select {
	case err := <-done:
		if command.ProcessState.ExitCode() > 0 {
			a.t.Errorf("the node ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		_ = command.Process.Kill()
		<-done
		a.t.Error("the node did not end within 20 s of SIGTERM")
	}
}

// kill ends the node as a power cut of the process would.
func (a *appliance) kill() {
	a.t.Helper()
	require.NoError(a.t, a.command.Process.Kill())
	_ = a.command.Wait() // "signal: killed"
	a.command = nil
}

// eventually waits for a condition.
func (a *appliance) eventually(limit time.Duration, what string, condition func() bool) {
	a.t.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			a.t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// call sends a request to the API and decodes the answer, which must have the
// status wanted.
func (a *appliance) call(status int, method, path string, body any) map[string]any {
	a.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(a.t, err)
	r, err := http.NewRequest(method, "http://"+a.control+path, bytes.NewReader(text))
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+a.key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", "*")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(a.t, err)
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	require.NoError(a.t, err)
	require.Equal(a.t, status, answer.StatusCode, "%s %s: %s", method, path, out)
	var fields map[string]any
	if len(out) > 0 {
		require.NoError(a.t, json.Unmarshal(out, &fields), string(out))
	}
	return fields
}

func (a *appliance) state(channel string) map[string]any {
	a.t.Helper()
	return a.call(200, "GET", "/v1/channels/"+channel+"/state", nil)
}

func (a *appliance) sourceState(id string) string {
	a.t.Helper()
	return a.call(200, "GET", "/v1/sources/"+id, nil)["state"].(string)
}

// pushSource makes a source and gives its key.
func (a *appliance) pushSource(id string) string {
	a.t.Helper()
	return a.call(201, "POST", "/v1/sources", map[string]any{"id": id, "kind": "push"})["key"].(string)
}

func (a *appliance) rtmpURL(key string) string { return "rtmp://" + a.rtmp + "/live/" + key }

func (a *appliance) srtURL(source, key string) string {
	return "srt://" + a.srt + "?streamid=#!::r=" + source + ",m=publish,s=" + key
}

func (a *appliance) mediaURL(path string) string { return "http://" + a.media + path }
