// Package worker is the protocol between the server and the one process per
// channel that touches pictures and samples, and the server's end of it: the
// Host that supervises the process and the Continuity that never lets the
// output timeline break. PROTOCOL.md is the wire format.
package worker
