// Package clip plays files: MP4 and MPEG transport streams, read in Go, as feeds
// in real time.
package clip
