package origin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// document is one version of a playlist or manifest with the headers that
// belong to it, as such and compressed. It is immutable.
type document struct {
	mime  []string
	plain variant
	small func() variant // gzip, made by the first who asks
}

// variant is one representation: its bytes and prebuilt header values.
type variant struct {
	body   []byte
	length []string
	etag   []string
}

func newDocument(mime []string, body []byte) *document {
	sum := sha256.Sum256(body)
	tag := hex.EncodeToString(sum[:8])
	return &document{
		mime: mime, plain: newVariant(body, tag),
		small: sync.OnceValue(func() variant { return newVariant(compress(body), tag+"-gzip") }),
	}
}

func newVariant(body []byte, tag string) variant {
	return variant{body: body, length: []string{strconv.Itoa(len(body))}, etag: []string{`"` + tag + `"`}}
}

var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.DefaultCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

func compress(body []byte) []byte {
	var out bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&out)
	_, _ = w.Write(body) // to memory
	_ = w.Close()
	return out.Bytes()
}

// serve answers a GET or HEAD with the representation that the client takes.
func (d *document) serve(w http.ResponseWriter, r *http.Request, cache []string) {
	h := w.Header()
	v := &d.plain
	if acceptsGzip(r.Header["Accept-Encoding"]) {
		small := d.small()
		v = &small
		h["Content-Encoding"] = encodingGzip
	}
	h["Vary"] = varyEncoding
	h["Content-Type"] = d.mime
	h["Cache-Control"] = cache
	h["Etag"] = v.etag
	h["Priority"] = urgencyPlaylist
	if matches(r.Header["If-None-Match"], v.etag[0]) {
		delete(h, "Content-Type")
		delete(h, "Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Length"] = v.length
	if r.Method == http.MethodHead {
		return
	}
	s := newSender(w)
	defer s.done()
	s.expect(len(v.body))
	_, _ = w.Write(v.body) // the client is gone
}

// acceptsGzip reads Accept-Encoding as far as gzip is concerned (RFC 9110 §12.5.3).
func acceptsGzip(values []string) bool {
	for _, value := range values {
		for value != "" {
			var token string
			token, value, _ = strings.Cut(value, ",")
			coding, weight, weighted := strings.Cut(token, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			weight = strings.ReplaceAll(weight, " ", "")
			return !weighted || strings.Trim(weight, "q=0.") != ""
		}
	}
	return false
}

// matches compares an entity tag with If-None-Match, weakly (RFC 9110 §13.1.2).
func matches(values []string, etag string) bool {
	for _, value := range values {
		for value != "" {
			var tag string
			tag, value, _ = strings.Cut(value, ",")
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == "*" || tag == etag {
				return true
			}
		}
	}
	return false
}
