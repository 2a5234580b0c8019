package appliance

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"millrace/api"
	"millrace/internal/egress"
	"millrace/internal/events"
)

const (
	webhookTimeout = 15 * time.Second
	webhookAnswer  = 64 << 10 // bytes that are read of an answer, so that its connection serves again
	secretPrefix   = "whsec_"
)

// retryAfter are the pauses before a delivery is tried again.
func retryAfter() []time.Duration {
	return []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour}
}

// message is an event as it is sent (Standard Webhooks, payload).
type message struct {
	id, kind string
	body     []byte
}

// messageOf words an event of the bus.
func messageOf(event events.Event) (message, error) {
	var wire struct {
		Type string          `json:"type"`
		Time string          `json:"time"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(event.Text, &wire); err != nil {
		return message{}, fmt.Errorf("read event %q: %w", event.ID, err)
	}
	body, err := json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp string          `json:"timestamp"`
		Data      json.RawMessage `json:"data,omitempty"`
	}{wire.Type, wire.Time, wire.Data})
	return message{event.ID, event.Type, body}, err
}

// sign is the value of webhook-signature: one v1 signature a secret (Standard
// Webhooks, symmetric signatures). A secret is whsec_ and base64.
func sign(m message, at time.Time, secrets ...string) string {
	var signatures []string
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
		if err != nil || len(key) == 0 {
			continue
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", m.id, at.Unix(), m.body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}

// newWebhookClient follows no redirects and uses no proxy: what it connects to
// is what was looked at.
func newWebhookClient(allowPrivate bool) *http.Client {
	return &http.Client{
		Timeout: webhookTimeout,
		Transport: &http.Transport{
			DialContext: egress.Dialer(allowPrivate).DialContext, TLSHandshakeTimeout: webhookTimeout,
			MaxIdleConns: 50, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send tries a message once.
func (w *webhooks) send(ctx context.Context, url string, m message, attempt int, secrets ...string) api.Delivery {
	began := time.Now()
	d := api.Delivery{Event: m.id, Type: m.kind, Time: api.Timestamp{Time: w.config.Now()}, Attempt: attempt}
	status, err := w.post(ctx, url, m, began, secrets...)
	d.Status, d.TookMs, d.Ok = status, time.Since(began).Milliseconds(), status/100 == 2 && err == nil
	switch {
	case errors.Is(err, egress.ErrPrivate):
		d.Error = egress.ErrPrivate.Error()
	case err != nil:
		d.Error = err.Error()
	case !d.Ok:
		d.Error = "the answer was " + strconv.Itoa(status) + " " + http.StatusText(status)
	}
	return d
}

func (w *webhooks) post(ctx context.Context, url string, m message, at time.Time, secrets ...string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Millrace/"+w.config.Version)
	r.Header.Set("webhook-id", m.id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", sign(m, at, secrets...))
	answer, err := w.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	// What is not read costs a connection, no more.
	_, _ = io.CopyN(io.Discard, answer.Body, webhookAnswer)
	return answer.StatusCode, nil
}
