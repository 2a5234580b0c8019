// Package web is the browser's side, built by Vite and embedded: the control
// room for the control listener, the watch and guest pages for the media
// listener.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// dist is what `make ui` builds; a clone without node has the placeholder only.
//
//go:embed all:dist placeholder
var files embed.FS

// Control serves the pages of the control listener.
func Control() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPage(r.URL.Path) {
			servePage(w, r, "index.html")
			return
		}
		serveAsset(w, r)
	})
}

// isPage holds for the addresses that the control room answers in the browser:
// one document shows them all.
func isPage(name string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	switch first {
	case "", "c", "sources", "outputs", "library", "recordings", "health", "alarms", "settings", "tally":
		return true
	}
	return false
}

// Watch serves /watch/CHANNEL and its assets on the media listener. The page
// is the same for every channel and asks the origin for the one in its URL.
func Watch() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if channel, ok := strings.CutPrefix(r.URL.Path, "/watch/"); ok {
			if channel == "" || strings.Contains(channel, "/") {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Security-Policy", "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; frame-ancestors *; base-uri 'none'")
			servePage(w, r, "watch.html")
			return
		}
		serveAsset(w, r)
	})
}

// servePage sends a page that is never cached: it names assets by their hash.
func servePage(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if _, err := fs.Stat(files, path.Join("dist", name)); err != nil {
		http.ServeFileFS(w, r, files, "placeholder/"+name)
		return
	}
	// ServeFileFS would redirect index.html to its folder.
	text, err := files.ReadFile(path.Join("dist", name))
	if err != nil {
		http.Error(w, "page cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// An error here is the client's connection.
	_, _ = w.Write(text)
}

// serveAsset sends a built file; those under /assets/ carry a hash in their name.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := path.Join("dist", path.Clean("/"+r.URL.Path))
	info, err := fs.Stat(files, name)
	if err != nil || info.IsDir() {
		http.NotFound(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/assets/") {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, files, name)
}
