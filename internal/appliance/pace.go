package appliance

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// How fast a request's body has to come.
const (
	bodyPause = 30 * time.Second // between two pieces, and for the first
	bodyRate  = 16 << 10         // bytes a second, on average
)

// paced cuts off who sends a body slower than that, also one that nobody reads:
// the server itself reads what is left of it before it answers.
func paced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			body := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), began: time.Now()}
			body.wait()
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody is a body that has to come in time.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	began   time.Time
	bytes   int64 // so far
}

// wait sets until when the next piece may come.
func (b *pacedBody) wait() {
	now := time.Now()
	limit := b.began.Add(bodyPause + time.Duration(b.bytes/bodyRate)*time.Second)
	if pause := now.Add(bodyPause); pause.Before(limit) {
		limit = pause
	}
	// A connection without deadlines is a test's.
	_ = b.control.SetReadDeadline(limit)
}

func (b *pacedBody) Read(to []byte) (int, error) {
	b.wait()
	n, err := b.ReadCloser.Read(to)
	b.bytes += int64(n)
	if errors.Is(err, io.EOF) {
		// What comes of the request takes as long as it takes.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
