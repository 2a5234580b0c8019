// Package audio is the sound side of the mixer: decoding to the channel's
// sample grid, one ring of samples per source, the matrix that sums a tick for
// the program and for each return, and the encoders of AAC and Opus on their
// grids of access units.
//
// The grid has 48,000 samples a second; sample s stands at s/48000 seconds
// since the Unix epoch. Positions are absolute sample numbers.
package audio
