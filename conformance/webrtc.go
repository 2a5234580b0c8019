package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// WebRTC checks a WHIP endpoint, a WHEP endpoint, or both. Its sessions come and
// go; whoever publishes to the source is not disturbed, but refused.
type WebRTC struct {
	Report *Report
	Client *Client

	Whip, Key string // endpoint and Bearer token of a source that nobody publishes to
	Whep      string // endpoint of a program on air
	Idle      string // WHEP endpoint of what is not on air; empty: none is known
	Slow      bool   // also what takes half a minute
}

// endpoint is one of the two, with the rows that its sessions are judged by.
type endpoint struct {
	*WebRTC
	url, key string
	sends    bool
	rows     map[string]string // row -> row: E05 stands for those that WHEP shares
}

// Run does everything and fills the report.
func (w *WebRTC) Run(ctx context.Context) error {
	if w.Whip != "" {
		e := &endpoint{WebRTC: w, url: w.Whip, key: w.Key, sends: true}
		if err := e.judge(ctx, (*endpoint).judgeWhip); err != nil {
			return fmt.Errorf("check WHIP: %w", err)
		}
	}
	if w.Whep != "" {
		shared := map[string]string{}
		for _, id := range []string{"W10", "W11", "W12", "W13", "W14", "W15", "W16", "W17"} {
			shared[id] = "E05"
		}
		for _, id := range []string{"W06", "W07", "W08"} {
			shared[id] = "E04"
		}
		e := &endpoint{WebRTC: w, url: w.Whep, rows: shared}
		if err := e.judge(ctx, (*endpoint).judgeWhep); err != nil {
			return fmt.Errorf("check WHEP: %w", err)
		}
		w.judgeBudget(ctx)
	}
	if w.Whip != "" {
		w.judgeFlood(ctx)
	}
	return ctx.Err()
}

func (e *endpoint) judge(ctx context.Context, own func(*endpoint, context.Context) error) error {
	if err := e.judgeSession(ctx); err != nil {
		return err
	}
	e.judgeMethods(ctx, e.url, "POST")
	return own(e, ctx)
}

// expect judges by a row of WHIP, or by that of WHEP which stands for it; rows
// that are WHIP's alone are left out for WHEP.
func (e *endpoint) expect(id string, kept bool, format string, arguments ...any) bool {
	if !e.sends {
		if id = e.rows[id]; id == "" {
			return kept
		}
	}
	return e.Report.Expect(id, kept, format, arguments...)
}

// ask makes a request and holds its answer to what all answers must keep.
func (e *endpoint) ask(ctx context.Context, method, url, body string, headers ...string) *Answer {
	a := e.Client.send(ctx, method, url, body, headers...)
	for a.Status == http.StatusTooManyRequests { // that is judged by itself
		pause(ctx, time.Second)
		a = e.Client.send(ctx, method, url, body, headers...)
	}
	e.expect("W08", a.Status != http.StatusMovedPermanently && a.Status != http.StatusFound, "%s %s", method, a)
	return a
}

// post offers.
func (e *endpoint) post(ctx context.Context, offer string) *Answer {
	return e.ask(ctx, http.MethodPost, e.url, offer, "Content-Type", offerType, "Authorization", bearer(e.key))
}

func bearer(key string) string {
	if key == "" {
		return ""
	}
	return "Bearer " + key
}

// open makes a session of a new peer.
func (e *endpoint) open(ctx context.Context) (*peer, *Answer, error) {
	p, err := newPeer(e.sends)
	if err != nil {
		return nil, nil, err
	}
	a := e.post(ctx, p.offer)
	if a.Status != http.StatusCreated {
		p.close()
		return nil, a, fmt.Errorf("offer: %s %.200s", a, a.Body)
	}
	p.session, p.etag, p.answer = resolve(e.url, a.Header.Get("Location")), a.Header.Get("ETag"), string(a.Body)
	return p, a, nil
}

// leave ends a session.
func (e *endpoint) leave(ctx context.Context, p *peer) *Answer {
	defer p.close()
	return e.ask(ctx, http.MethodDelete, p.session, "", "Authorization", bearer(e.key), "If-Match", `"whatever"`)
}

func client4xx(a *Answer) bool { return a.Status >= 400 && a.Status < 500 }

// sections are the parts of a description, each beginning with its m= line.
func sections(sdp string) (list []string) {
	for i, part := range strings.Split(sdp, "\r\nm=") {
		if i > 0 {
			list = append(list, "m="+part)
		}
	}
	return list
}

// edited is a description with its first section's direction, or all, changed.
func edited(sdp, old, now string) string { return strings.ReplaceAll(sdp, old, now) }

// valueOf is what stands behind the first such attribute.
func valueOf(sdp, attribute string) string {
	_, rest, found := strings.Cut(sdp, "a="+attribute+":")
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
