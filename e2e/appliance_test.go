package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// appliance is a running node of the test's own.
type appliance struct {
	t       *testing.T
	dir     string
	command *exec.Cmd
	log     *logFile
	key     string // of the scope manage

	environment []string // beside this process's

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

// freeAddress is a loopback address that nobody listens on, below the range
// from which the kernel gives out ports to whoever connects.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(20_000)))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		listener.Close()
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		conn.Close()
		return address
	}
	t.Fatal("no free port")
	return ""
}

// newAppliance prepares a node that nothing has started yet.
func newAppliance(t *testing.T) *appliance {
	t.Helper()
	a := &appliance{
		t: t, dir: t.TempDir(), log: &logFile{},
		control: freeAddress(t), media: freeAddress(t), rtmp: freeAddress(t), srt: freeAddress(t),
	}
	text := fmt.Sprintf("node: {dataDir: %s}\ncontrol: {listen: %q}\nmedia: {listen: %q}\ningest: {rtmp: %q, srt: %q}\nwebrtc: {listen: \"127.0.0.1:0\"}\nstorage: {reserveBytes: 16MiB}\n",
		filepath.Join(a.dir, "data"), a.control, a.media, a.rtmp, a.srt)
	require.NoError(t, os.WriteFile(a.config(), []byte(text), 0o600))
	return a
}

// startAppliance starts a node without the demo, with more in its environment, and
// waits until it is ready.
func startAppliance(t *testing.T, environment ...string) *appliance {
	t.Helper()
	a := newAppliance(t)
	a.environment = environment
	a.key = a.token("manage")
	a.start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the node said:\n%s", a.log)
		}
	})
	return a
}

func (a *appliance) config() string { return filepath.Join(a.dir, "millrace.yaml") }

func (a *appliance) run(args ...string) string {
	a.t.Helper()
	command := exec.Command(millrace(a.t), args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	require.NoError(a.t, err)
	return strings.TrimSpace(string(out))
}

func (a *appliance) token(scope string) string {
	a.t.Helper()
	return a.run("token", "create", "--config", a.config(), "--scope", scope)
}

// start begins a node, for the first time or after kill, and waits until it
// says that it is ready.
func (a *appliance) start() {
	a.t.Helper()
	a.command = exec.Command(millrace(a.t), "serve", "--no-demo", "--config", a.config())
	a.command.Stdout, a.command.Stderr = a.log, a.log
	a.command.Env = append(os.Environ(), a.environment...)
	a.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(a.t, a.command.Start())
	a.t.Cleanup(a.stop)
	a.eventually(30*time.Second, "the node is ready", func() bool {
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
		if command.ProcessState.ExitCode() != 0 {
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
	eventually(a.t, limit, what, condition)
}

func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
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

// pushSource makes a source and gives its key. Every node begins with cam1.
func (a *appliance) pushSource(id string) string {
	a.t.Helper()
	if id == "cam1" {
		return a.call(200, "POST", "/v1/sources/cam1/reveal-key", nil)["key"].(string)
	}
	return a.call(201, "POST", "/v1/sources", map[string]any{"id": id, "kind": "push"})["key"].(string)
}

func (a *appliance) sourceState(id string) string {
	a.t.Helper()
	return a.call(200, "GET", "/v1/sources/"+id, nil)["state"].(string)
}

func (a *appliance) rtmpURL(key string) string { return "rtmp://" + a.rtmp + "/live/" + key }

func (a *appliance) srtURL(source, key string) string {
	return "srt://" + a.srt + "?streamid=#!::r=" + source + ",m=publish,s=" + key
}

func (a *appliance) mediaURL(path string) string { return "http://" + a.media + path }
