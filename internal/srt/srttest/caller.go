// Package srttest is an SRT caller for tests, which reads why it was refused.
package srttest

/*
#cgo LDFLAGS: -lsrt
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <srt/srt.h>

static int millrace_dial(const char *host, int port, const char *stream, const char *passphrase, SRTSOCKET *out) {
	SRTSOCKET s = srt_create_socket();
	struct sockaddr_in addr;
	int timeout = 3000;
	memset(&addr, 0, sizeof addr);
	addr.sin_family = AF_INET;
	addr.sin_port = htons(port);
	inet_pton(AF_INET, host, &addr.sin_addr);
	srt_setsockflag(s, SRTO_CONNTIMEO, &timeout, sizeof timeout);
	srt_setsockflag(s, SRTO_STREAMID, stream, strlen(stream));
	if (*passphrase)
		srt_setsockflag(s, SRTO_PASSPHRASE, passphrase, strlen(passphrase));
	if (srt_connect(s, (struct sockaddr *)&addr, sizeof addr) < 0) {
		int why = srt_getrejectreason(s);
		srt_close(s);
		return why ? why : -1;
	}
	*out = s;
	return 0;
}

static int millrace_send(SRTSOCKET s, const char *data, int size) { return srt_sendmsg(s, data, size, -1, 1); }
static void millrace_hangup(SRTSOCKET s) { srt_close(s); }
*/
import "C"

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"unsafe"
)

// RejectError is the reason that a refused caller reads.
type RejectError int

func (e RejectError) Error() string { return fmt.Sprintf("rejected: %d", int(e)) }

// Caller is a connected publisher.
type Caller struct{ socket C.SRTSOCKET }

// Dial calls an address of IPv4. A refusal is a RejectError.
func Dial(address, streamID, passphrase string) (*Caller, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read address: %w", err)
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil, fmt.Errorf("read port: %w", err)
	}
	C.srt_startup()
	texts := [...]*C.char{C.CString(host), C.CString(streamID), C.CString(passphrase)}
	defer func() {
		for _, text := range texts {
			C.free(unsafe.Pointer(text))
		}
	}()
	var c Caller
	if why := C.millrace_dial(texts[0], C.int(port), texts[1], texts[2], &c.socket); why != 0 {
		return nil, RejectError(why)
	}
	return &c, nil
}

// Write sends one message of at most 1316 bytes.
func (c *Caller) Write(p []byte) (int, error) {
	n := C.millrace_send(c.socket, (*C.char)(unsafe.Pointer(&p[0])), C.int(len(p)))
	if n < 0 {
		return 0, errors.New("send: the connection has ended")
	}
	return int(n), nil
}

// Close hangs up.
func (c *Caller) Close() { C.millrace_hangup(c.socket) }
