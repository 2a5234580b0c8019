package process

import (
	"net"
	"sync/atomic"

	"millrace/internal/srt"
)

// refusalsKept bounds the refusals that wait to be told; more are counted.
const refusalsKept = 64

// refusal is a caller that was not let in.
type refusal struct {
	code     srt.Reject
	table    *srt.Table // by which it was judged; nil: there was none
	streamID string     // holds a key: it stays here
	remote   *net.UDPAddr
}

// refusals brings them from libsrt's receiving thread, which waits for
// nothing, to the server.
type refusals struct {
	queue   chan refusal
	omitted *atomic.Uint64
}

func newRefusals() refusals {
	return refusals{queue: make(chan refusal, refusalsKept), omitted: new(atomic.Uint64)}
}

// add never blocks.
func (r refusals) add(refused refusal) {
	select {
	case r.queue <- refused:
	default:
		r.omitted.Add(1)
	}
}

// tell sends refusals to the server until done is closed.
func (r refusals) tell(frames srt.Frames, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case refused := <-r.queue:
			told := srt.Refused{Code: refused.code, Omitted: r.omitted.Swap(0)}
			if refused.table != nil {
				told.Source = refused.table.Named(refused.streamID)
			}
			if refused.remote != nil {
				told.Remote = address(refused.remote)
			}
			if srt.SendJSON(frames, srt.KindRefused, told) != nil {
				return // receive sees the end of the socket
			}
		}
	}
}
