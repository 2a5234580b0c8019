package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// judgeWhip is what only publishers meet.
func (e *endpoint) judgeWhip(ctx context.Context) error {
	p, err := newPeer(true)
	if err != nil {
		return err
	}
	defer p.close()
	e.judgeKeys(ctx, p.offer)
	e.judgeOffers(ctx, p.offer)
	return e.judgeNames(ctx)
}

// judgeKeys: a Bearer token is needed, but not for a preflight (W18).
func (e *endpoint) judgeKeys(ctx context.Context, offer string) {
	for _, authorization := range []string{"", "Bearer wrong-wrong-wrong-wrong", "Basic " + e.key} {
		a := e.ask(ctx, http.MethodPost, e.url, offer, "Content-Type", offerType, "Authorization", authorization)
		e.expect("W18", a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden, "POST with %q: %s", authorization, a)
		e.expect("W18", a.Header.Get("Access-Control-Allow-Origin") != "", "a refusal without CORS headers")
	}
	a := e.preflight(ctx, e.url)
	e.expect("W18", a.Status < 300, "a preflight without token: %s", a)
}

// judgeOffers sends offers that are wrong, or odd (W02, W03, W04, W20, W21).
func (e *endpoint) judgeOffers(ctx context.Context, good string) {
	list := sections(good)
	video := list[len(list)-1]
	another := strings.Replace(good+strings.Replace(video, "a=mid:1", "a=mid:2", 1), "BUNDLE 0 1", "BUNDLE 0 1 2", 1)
	for _, c := range []struct{ row, name, offer string }{
		{"W03", "inactive", edited(good, "a=sendonly", "a=inactive")},
		{"W03", "recvonly", edited(good, "a=sendonly", "a=recvonly")},
		{"W04", "two video sections", another},
		{"W04", "one section without codecs that are known", edited(good, "opus/48000/2", "speex/16000")},
		{"W02", "empty", ""},
		{"W02", "no SDP", "hello"},
		{"W02", "only a session", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"},
		{"W02", "without fingerprint", edited(good, "a=fingerprint", "a=nofingerprint")},
		{"W02", "without ICE", edited(good, "a=ice-", "a=no-ice-")},
		{"W21", "10 MB", good + strings.Repeat("a=x\r\n", 2<<20)},
		{"W21", "ten thousand sections", good + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", 1000)},
	} {
		a := e.post(ctx, c.offer)
		// A server may hang up on a body that is too long.
		e.expect(c.row, client4xx(a) || c.row == "W21" && a.Err != nil, "%s: %s", c.name, a)
	}
	a := e.ask(ctx, http.MethodPost, e.url, good, "Content-Type", "text/plain", "Authorization", bearer(e.key))
	e.expect("W02", client4xx(a), "as text/plain: %s", a)
	e.fuzz(ctx, good)

	active, err := newPeer(true)
	if err != nil {
		return // our own fault
	}
	defer active.close()
	a = e.post(ctx, edited(active.offer, "a=setup:actpass", "a=setup:active"))
	e.expect("W20", a.Status == http.StatusCreated || a.Status == http.StatusUnprocessableEntity || a.Status == http.StatusBadRequest, "setup:active: %s", a)
	e.end(ctx, a)
}

// fuzz sends damaged offers: none may break the server (W02).
func (e *endpoint) fuzz(ctx context.Context, good string) {
	const offers = 60
	random := rand.New(rand.NewPCG(1, 2))
	lines := strings.SplitAfter(good, "\r\n")
	for range offers {
		damaged := append([]string{}, lines...)
		i := random.IntN(len(damaged))
		switch random.IntN(4) {
		case 0:
			damaged = append(damaged[:i], damaged[i+1:]...)
		case 1:
			damaged[i] += damaged[random.IntN(len(damaged))]
		case 2:
			b := []byte(damaged[i])
			b[random.IntN(len(b))] = byte(random.IntN(256))
			damaged[i] = string(b)
		case 3:
			damaged = damaged[:i]
		}
		a := e.post(ctx, strings.Join(damaged, ""))
		e.expect("W02", a.Err == nil && a.Status < 500, "a damaged offer (%q): %s", damaged[min(i, len(damaged)-1):][:min(1, len(damaged))], a)
		e.end(ctx, a)
	}
}

// end ends what an answer made.
func (e *endpoint) end(ctx context.Context, a *Answer) {
	if a.Status == http.StatusCreated {
		e.ask(ctx, http.MethodDelete, resolve(e.url, a.Header.Get("Location")), "", "Authorization", bearer(e.key))
	}
}

// judgeNames makes sessions, whose addresses nobody may guess (W19).
func (e *endpoint) judgeNames(ctx context.Context) error {
	var seen []string
	for range 4 {
		p, _, err := e.open(ctx)
		if err != nil {
			return err
		}
		e.leave(ctx, p)
		name := p.session[strings.LastIndex(p.session, "/")+1:]
		const least = 22 // characters of base64: 128 bits
		e.expect("W19", len(name) >= least, "a session's name of %d characters", len(name))
		for _, other := range seen {
			e.expect("W19", common(name, other) < len(name)/3, "a session's name that has much in common with another's: %d of %d characters", common(name, other), len(name))
		}
		seen = append(seen, name)
	}
	return nil
}

// common is at how many places two names have the same character: of 43 random
// ones of base64, 14 have it once in 10^14 pairs.
func common(a, b string) (count int) {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			count++
		}
	}
	return count
}

// judgeFlood asks too often: it is limited, and only for a while (W19).
func (w *WebRTC) judgeFlood(ctx context.Context) {
	const askers, length = 8, 20 * time.Second
	ctx, enough := context.WithTimeout(ctx, length)
	defer enough()
	var limited atomic.Bool
	var flood sync.WaitGroup
	for range askers {
		flood.Go(func() {
			for ctx.Err() == nil {
				a := w.Client.send(ctx, http.MethodPost, w.Whip, "x", "Content-Type", offerType, "Authorization", bearer(w.Key))
				if a.Status == http.StatusTooManyRequests {
					limited.Store(true)
					enough()
				}
			}
		})
	}
	flood.Wait()
	w.Report.Expect("W19", limited.Load(), "a flood of %v is not limited", length)
}

// judgeBudget takes places without connecting until there are none (W09).
func (w *WebRTC) judgeBudget(ctx context.Context) {
	e := &endpoint{WebRTC: w, url: w.Whep, rows: map[string]string{}}
	p, err := newPeer(false)
	if err != nil {
		return // our own fault
	}
	defer p.close()
	const most = 300
	var made []*Answer
	defer func() {
		for _, a := range made {
			e.end(ctx, a)
		}
	}()
	for range most {
		a := e.post(ctx, p.offer)
		if a.Status == http.StatusCreated {
			made = append(made, a)
			continue
		}
		w.Report.Expect("W09", a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "", "after %d sessions: %s, Retry-After %q", len(made), a, a.Header.Get("Retry-After"))
		w.Report.Note("W09", "%s", fmt.Sprintf("503 after %d that do not connect", len(made)))
		return
	}
	w.Report.Expect("W09", false, "%d sessions that never connect were let in", most)
}
