// Package testmedia is the one generator of test media: tests and benchmarks
// take their clips from here. Everything is drawn and sounded from a seed, so
// a clip is a function of its description; Debian's ffmpeg only encodes it.
package testmedia
