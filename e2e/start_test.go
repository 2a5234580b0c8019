package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// says runs the binary to its end and gives its exit code and what it wrote to
// standard error.
func says(t *testing.T, prepare func(*exec.Cmd), args ...string) (code int, text string) {
	t.Helper()
	path := millrace(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, path, args...)
	var said strings.Builder
	command.Stderr = &said
	if prepare != nil {
		prepare(command)
	}
	err := command.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	return command.ProcessState.ExitCode(), said.String()
}

func TestCommandLineFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no command", nil, 2, "millrace --help"},
		{"unknown command", []string{"conquer"}, 2, "conquer"},
		{"unknown flag", []string{"serve", "--fast"}, 2, "--fast"},
		{"token without scope", []string{"token", "create"}, 2, "--scope"},
		{"unknown scope", []string{"token", "create", "--scope", "root"}, 2, "root"},
		{"an inner command", []string{"worker"}, 2, "millrace serve"},
		{"no such file", []string{"serve", "--config", "/nonexistent.yaml"}, 1, "/nonexistent.yaml"},
		{"version", []string{"version"}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, text := says(t, nil, tt.args...)
			require.Equal(t, tt.code, code, text)
			require.Contains(t, text, tt.want)
			require.NotContains(t, text, "goroutine")
		})
	}
}

func TestConfigurationFaultsAreToldAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "millrace.yaml")
	text := "node: {name: a, dataDir: " + t.TempDir() + "}\n" +
		"colour: blue\n" +
		"control: {listen: nowhere, tls: {mode: acme}}\n" +
		"auth: {mode: maybe}\n" +
		"log: {level: loud}\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	code, said := says(t, nil, "serve", "--config", path)
	require.Equal(t, 1, code, said)
	for line, fault := range map[string]string{
		":2": "colour", ":3": "control.listen", ":4": "auth.mode", ":5": "log.level",
	} {
		require.Contains(t, said, path+line)
		require.Contains(t, said, fault)
	}
	require.Contains(t, said, "acme")

	require.NoError(t, os.WriteFile(path, []byte("node: {name: a\ncontrol: ["), 0o600))
	code, said = says(t, nil, "serve", "--config", path)
	require.Equal(t, 1, code, said)
	require.Contains(t, said, path)
}

func TestAPortInUseEndsTheStart(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"control.listen", "media.listen", "ingest.rtmp", "ingest.srt"} {
		t.Run(setting, func(t *testing.T) {
			a := newAppliance(t)
			address := map[string]string{
				"control.listen": a.control, "media.listen": a.media, "ingest.rtmp": a.rtmp, "ingest.srt": a.srt,
			}[setting]
			if setting == "ingest.srt" {
				conn, err := net.ListenPacket("udp", address)
				require.NoError(t, err)
				defer conn.Close()
			} else {
				listener, err := net.Listen("tcp", address)
				require.NoError(t, err)
				defer listener.Close()
			}
			code, said := says(t, nil, "serve", "--config", a.config())
			require.Equal(t, 1, code, said)
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			require.Contains(t, said, "port "+port+" is in use")
			require.Contains(t, said, setting)
			require.Len(t, strings.Split(strings.TrimSpace(said), "\n"), 1, said)
		})
	}
}

// TestADataDirectoryThatTakesNothing holds a start without a place to write to
// one sentence that says what to do.
func TestADataDirectoryThatTakesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	full := func(dir string) func(*exec.Cmd) {
		return func(command *exec.Cmd) { // in a mount namespace of its own
			command.Args = append([]string{"sh", "-c", `mount -t tmpfs -o size=4k none "$0" && : >"$0/a" && (cat /dev/zero >"$0/a" 2>/dev/null; exec "$@")`, dir},
				command.Args...)
			command.Path = "/bin/sh"
			command.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			}
		}
	}
	volume := t.TempDir()
	for _, tt := range []struct {
		name, dir string
		prepare   func(*exec.Cmd)
		want      string
	}{
		{"below a file", filepath.Join(file, "data"), nil, "not a directory"},
		{"on a file system that takes nothing", "/proc/millrace", nil, "/proc/millrace"},
		{"full", volume, full(volume), "no space left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.prepare != nil {
				probe := exec.Command("true")
				tt.prepare(probe)
				if err := probe.Run(); err != nil {
					t.Skipf("this machine lets nobody mount: %v", err)
				}
			}
			a := newAppliance(t)
			code, said := says(t, tt.prepare, "serve", "--no-demo", "--config", a.config(), "--data", tt.dir)
			require.Equal(t, 1, code, said)
			require.Contains(t, said, tt.want)
			require.Contains(t, said, "set node.dataDir to another")
			require.Len(t, strings.Split(strings.TrimSpace(said), "\n"), 1, said)
		})
	}
}
