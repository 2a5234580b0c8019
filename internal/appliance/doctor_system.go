package appliance

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// checkSystem looks at what the operating system allows a node.
func checkSystem() []Check {
	return []Check{checkClock(), checkOpenFiles(), checkBuffers(), checkMemory()}
}

// checkClock asks the kernel whether something keeps the clock right: a segment's
// number is the time (adjtimex(2)).
func checkClock() Check {
	check := Check{Name: "clock", Result: "ok", Detail: "is kept right"}
	var state unix.Timex
	if _, err := unix.Adjtimex(&state); err != nil {
		check.Result, check.Detail = "warn", "cannot be asked: "+err.Error()
	} else if state.Status&unix.STA_UNSYNC != 0 {
		check.Result, check.Detail = "warn", "nothing keeps it right"
		check.Hint = "run chrony or systemd-timesyncd; players and other nodes trust this machine's time"
	}
	return check
}

// enoughFiles is what a node with many viewers has open.
const enoughFiles = 8192

func checkOpenFiles() Check {
	check := Check{Name: "files", Result: "ok"}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		check.Result, check.Detail = "warn", err.Error()
		return check
	}
	check.Detail = fmt.Sprintf("%d may be open", limit.Max) // Go raises the soft limit to it
	if limit.Max < enoughFiles {
		check.Result, check.Hint = "warn", fmt.Sprintf("raise the limit of open files to %d (LimitNOFILE in a systemd unit)", enoughFiles)
	}
	return check
}

// enoughBuffer holds a second of a 30 Mbit/s feed while the node is busy.
const enoughBuffer = 4 << 20 // bytes

func checkBuffers() Check {
	check := Check{Name: "network", Result: "ok"}
	most, err := readNumber("/proc/sys/net/core/rmem_max")
	if err != nil {
		check.Result, check.Detail = "warn", "socket buffers cannot be looked at: "+err.Error()
		return check
	}
	check.Detail = fmt.Sprintf("socket buffers of %d KiB", most>>10)
	if most < enoughBuffer {
		check.Result = "warn"
		check.Hint = fmt.Sprintf("for fast SRT and WebRTC feeds: sysctl -w net.core.rmem_max=%d", enoughBuffer)
	}
	return check
}

// enoughMemory is what the demo takes, four times.
const enoughMemory = 1 << 30 // bytes

func checkMemory() Check {
	check := Check{Name: "memory", Result: "ok"}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		check.Result, check.Detail = "warn", err.Error()
		return check
	}
	free := meminfo(string(text), "MemAvailable")
	check.Detail = fmt.Sprintf("%.1f GiB available", float64(free)/(1<<30))
	if free < enoughMemory {
		check.Result, check.Hint = "warn", "a channel with four 1080p sources takes about 1 GiB"
	}
	return check
}

// meminfo reads a figure of /proc/meminfo (proc(5)) in bytes; 0 where it is not.
func meminfo(text, name string) int64 {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
