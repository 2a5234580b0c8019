// Package srt is what the server knows of SRT: stream IDs, who may publish,
// and the client of the srt process. libsrt is C that parses network bytes, so
// it runs in a process of its own (package process, below), which judges
// callers by a table that the server sends and hands over MPEG-TS and figures.
package srt
