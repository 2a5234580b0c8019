package web

import (
	"net/http"
	"strings"
)

// Guest serves /g/SOURCE on the media listener: the same page for every source.
// Its key is in the fragment, which browsers do not send.
func Guest() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := strings.TrimPrefix(r.URL.Path, "/g/")
		if source == "" || strings.Contains(source, "/") {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'self'; media-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		header.Set("Permissions-Policy", "camera=(self), microphone=(self), autoplay=(self)")
		header.Set("Referrer-Policy", "no-referrer")
		servePage(w, r, "guest.html")
	})
}
