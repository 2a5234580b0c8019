// Package sandbox takes from a worker process what it never needs once its
// devices are open: new sockets, new programs, writable files. Codecs parse
// hostile bytes in C; what a fault in them can reach ends here. Linux only.
package sandbox

import (
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Layer says whether one kind of confinement holds, for the worker's report
// and for `doctor`.
type Layer struct {
	Name   string `json:"name"` // no-new-privs, landlock, seccomp
	Active bool   `json:"active"`
	Reason string `json:"reason"` // what holds, or why it does not
}

// Policy is what a process may still reach, beside the system's libraries,
// /proc, /sys, the harmless devices and the GPU's device nodes.
type Policy struct {
	Libraries []string // directories to read and execute from, absolute
	Read      []string // files or directories to read, absolute
}

// Apply confines every thread of the process, for good. A layer that the
// kernel lacks or refuses is reported as not active and the others hold; the
// error is for a policy that makes no sense, and then nothing is applied.
func Apply(policy Policy) ([]Layer, error) {
	for _, path := range append(append([]string{}, policy.Libraries...), policy.Read...) {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("apply sandbox: path %q is not absolute", path)
		}
	}
	// The filter call hands this thread's no-new-privs bit to all the others,
	// so both must be made on one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return []Layer{
		layer("no-new-privs", "set-user-id programs give nothing", dropPrivileges()),
		layer("landlock", "writes to devices only; reads from libraries, /proc and /sys", confineFiles(policy)),
		layer("seccomp", "no sockets but unix ones, no programs, no tracing, no mounts", filterCalls()),
	}, nil
}

func layer(name, holds string, err error) Layer {
	if err != nil {
		return Layer{Name: name, Reason: err.Error()}
	}
	return Layer{Name: name, Active: true, Reason: holds}
}

func dropPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no-new-privs: %w", err)
	}
	return nil
}
