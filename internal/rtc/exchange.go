package rtc

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// exchange is one HTTP request and its answer.
type exchange struct {
	endpoint *Endpoint
	resource string
	w        http.ResponseWriter
	r        *http.Request
}

const offerType = "application/sdp"

// serveEndpoint answers for what sessions are made at.
func (x exchange) serveEndpoint() {
	const allowed = "OPTIONS, GET, HEAD, POST"
	switch x.r.Method {
	case http.MethodPost:
		x.post()
	case http.MethodOptions:
		x.w.Header().Set("Accept-Post", offerType)
		x.preflight(allowed)
	case http.MethodGet:
		x.w.WriteHeader(http.StatusNoContent)
	case http.MethodHead: // draft-ietf-wish-whep §4.2 (E03)
		x.w.Header().Set("Content-Type", offerType)
		x.w.WriteHeader(http.StatusOK)
	default:
		x.notAllowed(allowed)
	}
}

// post makes a session (RFC 9725 §4.2).
func (x exchange) post() {
	e := x.endpoint
	request := Request{Resource: x.resource, Token: x.token(), Remote: x.remote(), Trusted: x.r.Context().Value(trustedKey{}) != nil}
	if x.resource == "" {
		x.refuse(Refuse(http.StatusNotFound, "the address names nothing: use %sNAME", e.config.Prefix))
		return
	}
	if e.config.Authorize != nil {
		if err := e.config.Authorize(request); err != nil {
			x.refuse(err)
			return
		}
	}
	body, err := x.body(offerType, maxOffer)
	if err != nil {
		x.refuse(err)
		return
	}
	l, id, err := e.open(request, body)
	if err != nil {
		x.refuse(err)
		return
	}
	header := x.w.Header()
	header.Set("Content-Type", offerType)
	header.Set("Location", e.config.Prefix+x.resource+below+id)
	header.Set("ETag", l.etag)
	header.Set("Accept-Patch", fragmentType)
	for _, link := range e.links {
		header.Add("Link", link)
	}
	x.w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(x.w, l.session.Peer().Answer()) // the client is gone
}

// body reads a request's body of the type.
func (x exchange) body(kind string, most int64) ([]byte, error) {
	if got, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || got != kind {
		return nil, Refuse(http.StatusUnsupportedMediaType, "Content-Type %s is needed", kind)
	}
	// A writer without deadlines is a test's.
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, most))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, Refuse(http.StatusRequestEntityTooLarge, "more than %d bytes", most)
	case err != nil:
		return nil, malformed("the body broke off")
	}
	return body, nil
}

// token is the Bearer token (RFC 6750 §2.1), empty where there is none.
func (x exchange) token() string {
	scheme, token, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (x exchange) remote() netip.AddrPort {
	a, err := netip.ParseAddrPort(x.r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
