package origin

import (
	"net/http"
	"time"
)

// A client that takes its answer slower than this holds nothing but its socket,
// and not for long (F36).
const (
	sendGrace   = 10 * time.Second
	slowestRate = 16 << 10 // bytes per second
)

// sender bounds how long an answer may take.
type sender struct {
	control *http.ResponseController
}

func newSender(w http.ResponseWriter) sender { return sender{http.NewResponseController(w)} }

// expect allows time for so many more bytes.
func (s sender) expect(size int) {
	allowed := sendGrace + time.Duration(size)*time.Second/slowestRate
	_ = s.control.SetWriteDeadline(time.Now().Add(allowed)) // no deadlines in this kind of connection
}

// flush sends what is buffered.
func (s sender) flush() error { return s.control.Flush() }

// done sends the rest and lifts the bound for what the connection does next.
func (s sender) done() {
	if s.flush() == nil {
		_ = s.control.SetWriteDeadline(time.Time{})
	}
}
