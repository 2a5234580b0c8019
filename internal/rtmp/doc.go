// Package rtmp speaks the server's side of RTMP and of Enhanced RTMP v2:
// handshake, chunks, commands, and the headers of audio and video messages.
// It knows no sources and no tracks; those stand in ingest/rtmp.
package rtmp
