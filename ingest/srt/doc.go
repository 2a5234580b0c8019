// Package srt is SRT ingest at the server: it takes what the srt process
// hands over, reads the transport streams and writes them to sources.
package srt
