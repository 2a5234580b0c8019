// Package process is what runs in the srt process: libsrt, through srtgo and a
// small shim. It listens, judges callers by the server's table and hands over
// what they send.
package process
