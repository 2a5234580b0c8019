// Package sandbox takes from a worker process what it never needs once its
// devices are open: new sockets, new programs, writable files. Codecs parse
// hostile bytes in C; what a fault in them can reach ends here.
package sandbox

// Layer says whether one kind of confinement holds, for the worker's report
// and for `doctor`.
type Layer struct {
	Name   string `json:"name"` // no-new-privs, landlock, seccomp
	Active bool   `json:"active"`
	Reason string `json:"reason"` // what holds, or why it does not
}
