// Package reencode is the conversation with a process that encodes a few frames
// of a rendition anew, so that a clip can begin within a group of pictures, or
// draws a sheet of thumbnails. The
// process lives for one conversation; what it decodes it decodes in a sandbox.
//
// The socket is that of package child. A frame is a kind, then a u32 (big-endian)
// length of JSON, the JSON, and bytes:
//
//	1 task    server -> process   wireTask, the access units joined, the one that follows
//	3 sheet   server -> process   wireSheet, the stills joined; one a conversation, answered by a result of one JPEG
//	2 result  process -> server   wireResult, the new access units joined
//
// Tasks may be answered in any order. The process ends with its socket.
package reencode
