package rtc

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	maxSegments = 60    // datagrams of one system call; the kernel takes 64
	maxBatch    = 60000 // bytes
)

// batches gathers datagrams for one address that are written one after the
// other, and hands them to the kernel in one call, which cuts them apart again
// (UDP_SEGMENT): most of what sending costs is the call.
type batches struct {
	off atomic.Bool // the kernel or the interface cannot

	mu   sync.RWMutex
	open map[netip.AddrPort]*batch
}

// batch is what was gathered. All datagrams are of one size, but the last may
// be shorter.
type batch struct {
	to      netip.AddrPort
	mu      sync.Mutex
	held    bool
	data    []byte
	size    int // of each datagram but the last
	count   int
	shorter bool // the last is shorter: none can follow
}

// hold gathers what is written to the address from now on. It fails where
// somebody gathers already.
func (s *socket) hold(b *batch) bool {
	if s.batches.off.Load() {
		return false
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	if s.batches.open[b.to] != nil {
		return false
	}
	if s.batches.open == nil {
		s.batches.open = map[netip.AddrPort]*batch{}
	}
	s.batches.open[b.to] = b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
	return true
}

// release sends what was gathered.
func (s *socket) release(b *batch) {
	s.batches.mu.Lock()
	delete(s.batches.open, b.to)
	s.batches.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	s.flush(b)
	b.held = false
}

// gather takes a datagram for an address that is held; false: it is not.
func (s *socket) gather(datagram []byte, to netip.AddrPort) bool {
	s.batches.mu.RLock()
	b := s.batches.open[netip.AddrPortFrom(to.Addr().Unmap(), to.Port())]
	s.batches.mu.RUnlock()
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.held {
		return false // released in the meantime
	}
	if b.count > 0 && (b.shorter || len(datagram) > b.size || b.count == maxSegments || len(b.data)+len(datagram) > maxBatch) {
		s.flush(b)
	}
	if b.count == 0 {
		b.size = len(datagram)
	}
	b.data = append(b.data, datagram...)
	b.count++
	b.shorter = len(datagram) < b.size
	return true
}

// flush sends a batch, whose lock the caller holds.
func (s *socket) flush(b *batch) {
	if b.count > 1 && !s.batches.off.Load() {
		if _, _, err := s.WriteMsgUDPAddrPort(b.data, segments(b.size), b.to); err != nil {
			s.batches.off.Store(true) // one by one, then, from now on
			s.single(b)
		}
	} else {
		s.single(b)
	}
	b.data, b.count, b.shorter = b.data[:0], 0, false
}

// single sends the datagrams of a batch one by one.
func (s *socket) single(b *batch) {
	for rest := b.data; len(rest) > 0; {
		n := min(b.size, len(rest))
		_, _ = s.WriteToUDPAddrPort(rest[:n], b.to) // lost, as on the wire
		rest = rest[n:]
	}
}

// segments is the control message that says how long each datagram is.
func segments(size int) []byte {
	b := make([]byte, unix.CmsgSpace(2))
	h := unix.Cmsghdr{Level: unix.SOL_UDP, Type: unix.UDP_SEGMENT}
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint64(b, uint64(h.Len))
	binary.NativeEndian.PutUint32(b[8:], uint32(h.Level))
	binary.NativeEndian.PutUint32(b[12:], uint32(h.Type))
	binary.NativeEndian.PutUint16(b[unix.CmsgLen(0):], uint16(size))
	return b
}
