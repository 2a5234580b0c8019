// Package e2e starts the real binary, publishes to it with Debian's ffmpeg as a
// camera would, reads it back as a player would, and looks at what came out.
package e2e
