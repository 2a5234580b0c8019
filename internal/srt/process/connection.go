package process

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/haivision/srtgo"

	"millrace/internal/srt"
)

const (
	readInterval = 100 * time.Millisecond // how often a silent connection looks up
	flowing      = 2 * time.Second        // data within that means that the peer did not vanish
	payloadSize  = 1500                   // bytes; SRT carries at most 1456 in a packet
)

// connection is one accepted caller. Its socket belongs to read.
type connection struct {
	id     uint64
	socket *srtgo.SrtSocket
	frames srt.Frames
	ending atomic.Pointer[string] // why it is to end
}

// close asks read to end.
func (c *connection) close(reason string) { c.ending.CompareAndSwap(nil, &reason) }

// read hands over what arrives, and the figures every second, until the peer
// or close ends it.
func (c *connection) read() srt.Closed {
	buffer := make([]byte, payloadSize)
	var last, reported time.Time
	for {
		if reason := c.ending.Load(); reason != nil {
			return srt.Closed{ID: c.id, Reason: *reason}
		}
		n, err := c.socket.Read(buffer)
		now := time.Now()
		switch {
		case n > 0:
			last = now
			err = srt.SendData(c.frames, c.id, buffer[:n])
		case errors.Is(err, srtgo.ETimeout), errors.Is(err, srtgo.EAsyncRCV):
			err = nil
		case err == nil: // n == 0: the peer's shutdown
			err = errors.New("shut down")
		}
		if err == nil && now.Sub(reported) >= srt.StatsInterval {
			reported = now
			err = c.report()
		}
		if err != nil {
			return srt.Closed{ID: c.id, Reason: err.Error(), Flowing: now.Sub(last) < flowing}
		}
	}
}

func (c *connection) report() error {
	s, err := c.socket.Stats()
	if err != nil {
		return err
	}
	return srt.SendJSON(c.frames, srt.KindStats, srt.Stats{
		ID:            c.id,
		RTTMs:         s.MsRTT,
		ReceivedMbps:  s.MbpsRecvRate,
		BandwidthMbps: s.MbpsBandwidth,
		Packets:       s.PktRecvTotal,
		Bytes:         s.ByteRecvTotal,
		Lost:          int64(s.PktRcvLossTotal),
		Retransmitted: int64(s.PktRcvRetrans),
		Dropped:       int64(s.PktRcvDropTotal),
		Undecrypted:   int64(s.PktRcvUndecryptTotal),
		BufferMs:      s.MsRcvBuf,
		LatencyMs:     s.MsRcvTsbPdDelay,
	})
}
