package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// judgeSession follows one session from offer to goodbye.
func (e *endpoint) judgeSession(ctx context.Context) error {
	p, a, err := e.open(ctx)
	if err != nil {
		return err
	}
	typ := a.Header.Get("Content-Type")
	e.expect("W01", typ == offerType && a.Header.Get("Location") != "", "%s %q, Location %q", a, typ, a.Header.Get("Location"))
	e.judgeAnswer(p)
	e.judgeLinks(ctx, a)
	if err := p.accept(ctx); err != nil {
		e.expect("W01", false, "%v", err)
		e.leave(ctx, p)
		return nil
	}
	speaking, silent := context.WithCancel(ctx)
	defer silent()
	if p.sound != nil {
		go p.say(speaking)
	}
	e.judgeMethods(ctx, p.session, "PATCH", "DELETE")
	e.judgePatches(ctx, p)
	e.judgeRestart(ctx, p)
	left := e.leave(ctx, p)
	e.expect("W15", left.Status == http.StatusOK, "DELETE with a stale If-Match: %s", left)
	again := e.ask(ctx, http.MethodDelete, p.session, "", "Authorization", bearer(e.key))
	e.expect("W15", again.Status == http.StatusNotFound, "DELETE again: %s", again)
	if e.Slow {
		return e.judgeConsent(ctx)
	}
	return nil
}

// judgeAnswer reads the SDP (W03, W05, E01).
func (e *endpoint) judgeAnswer(p *peer) {
	wanted := "a=recvonly"
	row := "W03"
	if !e.sends {
		wanted, row = "a=sendonly", "E01"
	}
	group := " " + valueOf(p.answer, "group") + " "
	for i, section := range sections(p.answer) {
		judge := e.Report.Expect
		judge(row, strings.Contains(section, wanted+"\r\n"), "section %d lacks %s", i, wanted)
		if e.sends {
			judge("W05", strings.Contains(section, "a=rtcp-mux\r\n"), "section %d: no rtcp-mux", i)
			judge("W05", strings.HasPrefix(group, " BUNDLE ") && strings.Contains(group, " "+valueOf(section, "mid")+" "), "group %q, mid %q", group, valueOf(section, "mid"))
		}
	}
	if e.sends {
		e.Report.Expect("W05", strings.Contains(p.answer, "a=candidate:") && strings.Contains(p.answer, "a=end-of-candidates"), "not all candidates in the answer")
	}
}

// judgeLinks: servers are named where they are configured, and not on a
// preflight (W17).
func (e *endpoint) judgeLinks(ctx context.Context, created *Answer) {
	for _, link := range created.Header.Values("Link") {
		e.expect("W17", strings.Contains(link, `rel="ice-server"`) && (strings.HasPrefix(link, "<stun") || strings.HasPrefix(link, "<turn")), "Link %q", link)
	}
	a := e.preflight(ctx, e.url)
	e.expect("W17", len(a.Header.Values("Link")) == 0, "Link on a preflight: %v", a.Header.Values("Link"))
}

func (e *endpoint) preflight(ctx context.Context, url string) *Answer {
	return e.ask(ctx, http.MethodOptions, url, "", "Origin", "https://example.org", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization,content-type,if-match")
}

// judgeMethods asks with GET and OPTIONS (W06, W07, E04).
func (e *endpoint) judgeMethods(ctx context.Context, url string, methods ...string) {
	a := e.ask(ctx, http.MethodGet, url, "", "Authorization", bearer(e.key))
	e.expect("W06", a.Status >= 200 && a.Status < 300 && len(a.Body) == 0, "GET %s, %d bytes", a, len(a.Body))
	o := e.preflight(ctx, url)
	e.expect("W07", o.Status == http.StatusOK && o.Header.Get("Access-Control-Allow-Origin") != "", "OPTIONS %s %v", o, o.Header)
	for _, method := range methods {
		e.expect("W07", strings.Contains(o.Header.Get("Access-Control-Allow-Methods"), method), "%s is not allowed by CORS: %q", method, o.Header.Get("Access-Control-Allow-Methods"))
		if method == http.MethodPost {
			e.expect("W07", o.Header.Get("Accept-Post") == offerType, "Accept-Post %q", o.Header.Get("Accept-Post"))
		}
	}
}

// judgePatches sends fragments, good and bad (W10, W12, W13).
func (e *endpoint) judgePatches(ctx context.Context, p *peer) {
	e.expect("W12", strings.HasPrefix(p.etag, `"`) && len(p.etag) > 4, "ETag %q in 201 is no strong tag", p.etag)
	candidate := "a=mid:" + valueOf(p.offer, "mid") + "\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
	unknown := "a=candidate:1 1 sctp 2130706431 192.0.2.1 9 typ host\r\n"
	for _, c := range []struct {
		row, body, kind, match string
		status                 int // 0: any 4xx
	}{
		{"W13", candidate, fragmentType, p.etag, http.StatusNoContent},
		{"W13", unknown, fragmentType, p.etag, http.StatusNoContent},
		{"W12", candidate, fragmentType, "", http.StatusPreconditionRequired},
		{"W12", candidate, fragmentType, `"stale"`, http.StatusPreconditionFailed},
		{"W10", candidate, "text/plain", p.etag, 0},
		{"W10", "this is no fragment", fragmentType, p.etag, 0},
		{"W10", "", fragmentType, p.etag, 0},
		{"W10", "a=ice-ufrag:x\r\na=ice-pwd:y\r\n", fragmentType, "*", 0},
	} {
		a := e.ask(ctx, http.MethodPatch, p.session, c.body, "Content-Type", c.kind, "If-Match", c.match, "Authorization", bearer(e.key))
		kept := a.Status == c.status || c.status == 0 && client4xx(a)
		if a.Status == http.StatusNoContent {
			kept = kept && len(a.Body) == 0 && a.Header.Get("ETag") == ""
		}
		e.expect(c.row, kept, "%.30q as %s with If-Match %s: %s", c.body, c.kind, c.match, a)
	}
	alive := e.ask(ctx, http.MethodGet, p.session, "", "Authorization", bearer(e.key))
	e.expect("W14", alive.Status < 300, "the session did not survive bad fragments: %s", alive)
}

// judgeRestart restarts ICE while media flow (W11, W14).
func (e *endpoint) judgeRestart(ctx context.Context, p *peer) {
	if !e.expect("W14", p.flows(ctx), "no media before the restart") {
		return
	}
	offer, err := p.describe(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return // our own fault
	}
	body := "a=ice-ufrag:" + valueOf(offer, "ice-ufrag") + "\r\na=ice-pwd:" + valueOf(offer, "ice-pwd") + "\r\n" +
		strings.SplitN(sections(offer)[0], "\r\n", 2)[0] + "\r\na=mid:" + valueOf(offer, "mid") + "\r\n"
	a := e.ask(ctx, http.MethodPatch, p.session, body, "Content-Type", fragmentType, "If-Match", "*", "Authorization", bearer(e.key))
	e.expect("W11", a.Status == http.StatusOK || a.Status == http.StatusUnprocessableEntity, "a restart, trickle being taken: %s", a)
	if a.Status != http.StatusOK {
		return
	}
	tag, text := a.Header.Get("ETag"), string(a.Body)
	e.expect("W14", a.Header.Get("Content-Type") == fragmentType && tag != "" && tag != p.etag, "%s %q, ETag %s after %s", a, a.Header.Get("Content-Type"), tag, p.etag)
	answer := p.answer
	for _, key := range []string{"ice-ufrag", "ice-pwd"} {
		old, now := valueOf(answer, key), valueOf(text, key)
		e.expect("W14", now != "" && now != old, "the same %s", key)
		answer = strings.ReplaceAll(answer, "a="+key+":"+old, "a="+key+":"+now)
	}
	if err := p.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		e.expect("W14", false, "take the restarted answer: %v", err)
		return
	}
	e.expect("W14", p.flows(ctx), "no media after the restart")
}

// flows waits until more media have come.
func (p *peer) flows(ctx context.Context) bool {
	before := p.arrived.Load()
	deadline := time.Now().Add(connectLimit)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if p.arrived.Load() > before+5 {
			return true
		}
		pause(ctx, 20*time.Millisecond)
	}
	return false
}

// judgeConsent vanishes without a word (W16).
func (e *endpoint) judgeConsent(ctx context.Context) error {
	p, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.accept(ctx); err != nil {
		e.expect("W16", false, "%v", err)
		return nil
	}
	p.socket.cut.Store(true)
	const consent = 45 * time.Second // RFC 7675: 30 s
	began := time.Now()
	for time.Since(began) < consent && ctx.Err() == nil {
		if e.ask(ctx, http.MethodGet, p.session, "", "Authorization", bearer(e.key)).Status == http.StatusNotFound {
			e.expect("W16", true, "")
			return nil
		}
		pause(ctx, 500*time.Millisecond)
	}
	e.expect("W16", false, "the session of a client that vanished is there after %v", consent)
	return nil
}
