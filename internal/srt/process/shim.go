package process

/*
#cgo LDFLAGS: -lsrt
#include <arpa/inet.h>
#include <netinet/in.h>
#include <srt/srt.h>

// What srtgo lacks: the bound port, stream IDs beyond 256 bytes, and an end to
// a blocked accept that leaves srtgo's own socket to its owner.

static int millrace_port(SRTSOCKET s) {
	struct sockaddr_storage addr;
	int len = sizeof addr;
	if (srt_getsockname(s, (struct sockaddr *)&addr, &len) < 0)
		return -1;
	if (addr.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
	return ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

static int millrace_stream_id(SRTSOCKET s, char *text, int size) {
	if (srt_getsockflag(s, SRTO_STREAMID, text, &size) < 0)
		return -1;
	return size;
}

static void millrace_close(SRTSOCKET s) { srt_close(s); }
*/
import "C"

import (
	"unsafe"

	"github.com/haivision/srtgo"
)

const (
	optionReuse      = int(C.SRTO_REUSEADDR)
	optionIPv6Only   = int(C.SRTO_IPV6ONLY)
	optionReadMs     = int(C.SRTO_RCVTIMEO)
	optionLatencyMs  = int(C.SRTO_RCVLATENCY)
	optionPassphrase = int(C.SRTO_PASSPHRASE)
)

const streamIDBytes = 4 * 512

// port is the UDP port that a socket is bound to, -1 if none.
func port(s *srtgo.SrtSocket) int { return int(C.millrace_port(C.SRTSOCKET(s.GetSocket()))) }

// streamID is what the caller of an accepted socket asked for.
func streamID(s *srtgo.SrtSocket) string {
	var text [streamIDBytes]byte
	n := C.millrace_stream_id(C.SRTSOCKET(s.GetSocket()), (*C.char)(unsafe.Pointer(&text[0])), C.int(len(text)))
	return string(text[:max(0, n)])
}

// interrupt ends the calls that are blocked on a socket, which its owner must
// still close.
func interrupt(s *srtgo.SrtSocket) { C.millrace_close(C.SRTSOCKET(s.GetSocket())) }
