package origin

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

// movies keeps the newest files that were laid out: a player asks for many
// ranges of one.
type movies struct {
	mu     sync.Mutex
	newest []laidOut // newest last
}

type laidOut struct {
	key   string
	movie *record.Movie
}

const (
	keptMovies    = 4
	keptMovieSize = 32 << 20 // bytes of the layout in memory; a longer file is laid out for each request
)

func (m *movies) get(key string) *record.Movie {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.newest {
		if l.key == key {
			return l.movie
		}
	}
	return nil
}

func (m *movies) put(key string, movie *record.Movie) {
	if movie.HeadSize() > keptMovieSize {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.newest) == keptMovies {
		m.newest = append(m.newest[:0:0], m.newest[1:]...)
	}
	m.newest = append(m.newest, laidOut{key, movie})
}

// film is what one file holds: the units of a picture rendition and of the
// sound that belong to it.
type film struct {
	name string // of the file, without its extension
	plan record.MoviePlan
}

// film is a view as one file: of the rendition asked for, or else the best
// picture, and the sound. It is empty where there is no such rendition.
func (v view) film(name, rendition string) film {
	f := film{name: name}
	picture, sound := v.choose(rendition)
	for _, r := range []*cmaf.Rendition{picture, sound} {
		if r != nil {
			f.plan.Tracks = append(f.plan.Tracks, record.MovieTrack{Rendition: r, Segments: v.rows(r), To: math.MaxInt64})
		}
	}
	return f
}

// choose finds the rendition asked for, or the picture that covers most of the
// view, the best of those that cover the same, and the first sound beside it.
func (v view) choose(rendition string) (picture, sound *cmaf.Rendition) {
	covers := 0
	for _, r := range v.renditions() {
		switch {
		case r.Track.Kind == media.Audio && r.ID == rendition:
			return nil, r
		case r.Track.Kind == media.Audio && sound == nil:
			sound = r
		case r.Track.Kind == media.Audio:
		case r.ID == rendition:
			picture = r
		case rendition == "":
			held := v.held(r)
			if held > covers || held == covers && r.Bandwidth > picture.Bandwidth {
				picture, covers = r, held
			}
		}
	}
	if picture == nil && rendition != "" {
		return nil, nil
	}
	return picture, sound
}

// held is how many segments of a rendition the view holds.
func (v view) held(r *cmaf.Rendition) (n int) {
	for _, g := range v.rows(r) {
		if !g.Gap() {
			n++
		}
	}
	return n
}

// serveMovie answers with a progressive MP4 file. The length is right from the
// first byte on, and any range can be had. With ?download browsers save it.
func (h *Handler) serveMovie(w http.ResponseWriter, r *http.Request, v view, f film) {
	if len(f.plan.Tracks) == 0 {
		refuse(w, r, http.StatusNotFound, v.ages.plainError)
		return
	}
	movie := h.layOut(w, r, v, f)
	if movie == nil {
		return
	}
	header := w.Header()
	header["Content-Type"] = typeVideoInit
	header["Cache-Control"] = v.ages.plain
	header["Etag"] = []string{fmt.Sprintf(`"%s-%d-%d-%d"`, f.name, v.from, v.to, movie.Size())}
	header["Content-Disposition"] = []string{disposition(r, f.name+".mp4")}
	s := newSender(w)
	defer s.done()
	s.expect(int(movie.Size()))
	http.ServeContent(w, r, "", time.Time{}, movie.Reader())
}

// layOut finds or makes the file's layout; nil when it has answered.
func (h *Handler) layOut(w http.ResponseWriter, r *http.Request, v view, f film) *record.Movie {
	key := fmt.Sprint(v.channel.id, "/", f.name, " ", v.from, " ", v.to)
	for _, t := range f.plan.Tracks {
		key += fmt.Sprint(" ", t.Rendition.ID, t.Rendition.InitName, " ", t.From, " ", t.To)
	}
	if movie := h.movies.get(key); movie != nil {
		return movie
	}
	if !h.building(w, r) {
		return nil
	}
	defer h.built()
	if movie := h.movies.get(key); movie != nil {
		return movie
	}
	movie, err := record.NewMovie(r.Context(), f.plan)
	if err != nil {
		h.config.Log.Warn("file cannot be laid out", "channel", v.channel.id, "name", f.name, "err", err)
		refuse(w, r, http.StatusNotFound, v.ages.plainError)
		return nil
	}
	h.movies.put(key, movie)
	return movie
}

// disposition is whether a browser shows a file or keeps it, and under which name.
func disposition(r *http.Request, name string) string {
	kind := "inline"
	if r.URL.Query().Has("download") { // a link on another origin's page cannot ask for it otherwise
		kind = "attachment"
	}
	return kind + "; filename=" + strconv.Quote(name)
}
