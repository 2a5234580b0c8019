package rtc

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// ICEServer is a STUN or TURN server that clients are told to use.
type ICEServer struct {
	URL                  string // "turn:turn.example.org?transport=udp"
	Username, Credential string // empty: none
}

// link is the server as a Link header (RFC 9725 §4.6).
func (s ICEServer) link() string {
	link := "<" + s.URL + `>; rel="ice-server"`
	if s.Username != "" {
		link += fmt.Sprintf("; username=%s; credential=%s; credential-type=\"password\"", quoted(s.Username), quoted(s.Credential))
	}
	return link
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// crossOrigin lets pages of any site use the endpoint, and read errors too.
func (x exchange) crossOrigin() {
	h := x.w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Accept-Patch, Accept-Post, Content-Type, Date, ETag, Link, Location, Retry-After, WWW-Authenticate")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// preflight answers OPTIONS: no key is needed, and no server is named.
func (x exchange) preflight(allowed string) {
	h := x.w.Header()
	h.Set("Allow", allowed)
	h.Set("Access-Control-Allow-Methods", allowed)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
	h.Set("Access-Control-Max-Age", "86400")
	x.w.WriteHeader(http.StatusOK)
}

func (x exchange) notAllowed(allowed string) {
	x.w.Header().Set("Allow", allowed)
	x.refuse(Refuse(http.StatusMethodNotAllowed, "%s is not for this address", x.r.Method))
}

// refuse answers an error as a problem document (RFC 9457).
func (x exchange) refuse(err error) {
	refusal := refusalOf(err)
	h := x.w.Header()
	h.Set("Content-Type", "application/problem+json")
	if refusal.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if refusal.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	if refusal.Status == http.StatusInternalServerError {
		x.endpoint.config.Log.Error("WebRTC session not made", "endpoint", x.endpoint.config.Prefix, "err", err)
	}
	x.w.WriteHeader(refusal.Status)
	if x.r.Method == http.MethodHead {
		return
	}
	_ = json.NewEncoder(x.w).Encode(map[string]any{ // the client is gone
		"title": http.StatusText(refusal.Status), "status": refusal.Status, "detail": refusal.Detail,
	})
}
