package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// child gives the pid of the node's process that was started with an argument,
// such as "srt"; 0 while there is none.
func (a *appliance) child(argument string) int {
	a.t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(a.t, err)
	for _, path := range stats {
		fields := statFields(path)
		if fields == nil || fields[1] != strconv.Itoa(a.command.Process.Pid) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		arguments := strings.Split(string(line), "\x00")
		if err != nil || len(arguments) < 2 || arguments[1] != argument {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(a.t, err)
		return pid
	}
	return 0
}

// statFields are the fields of /proc/PID/stat from the third on: state, parent
// and so on; nil where the process is gone.
func statFields(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	_, rest, ok := strings.Cut(string(text[max(strings.LastIndexByte(string(text), ')'), 0):]), ") ")
	if !ok {
		return nil
	}
	return strings.Fields(rest)
}

// startOf is when a process began, to a hundredth of a second.
func startOf(t *testing.T, pid int) time.Time {
	t.Helper()
	fields := statFields(fmt.Sprintf("/proc/%d/stat", pid))
	require.NotNil(t, fields, "process %d is gone", pid)
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	require.NoError(t, err)
	var uptime float64
	text, err := os.ReadFile("/proc/uptime")
	require.NoError(t, err)
	_, err = fmt.Sscan(string(text), &uptime)
	require.NoError(t, err)
	const perSecond = 100 // ticks, on every Linux that this runs on
	age := time.Duration(uptime*float64(time.Second)) - time.Duration(ticks)*time.Second/perSecond
	return time.Now().Add(-age)
}

// sigkill ends a process of the node and waits until the kernel has taken it.
func (a *appliance) sigkill(pid int) {
	a.t.Helper()
	require.Positive(a.t, pid)
	require.NoError(a.t, syscall.Kill(pid, syscall.SIGKILL))
	a.eventually(5*time.Second, "the killed process is gone", func() bool {
		fields := statFields(fmt.Sprintf("/proc/%d/stat", pid))
		return fields == nil || fields[0] == "Z" || fields[1] != strconv.Itoa(a.command.Process.Pid)
	})
}
