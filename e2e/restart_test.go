package e2e

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWhatWasListedOutlivesTheServer kills the whole node while segments are
// being written, twice: once it is started again at once, once so late that a
// segment is missing.
func TestWhatWasListedOutlivesTheServer(t *testing.T) {
	t.Parallel()
	a := startAppliance(t)
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "test1", "kind": "test", "test": map[string]any{"toneHz": 440}})
	a.makeChannel([]string{"test1"}, v180)

	followers := []*follower{newFollower(a, "v180"), newFollower(a, "audio")}
	for _, late := range []bool{false, true} {
		killed := killMidSegment(a, followers)
		if late { // the segment after the one in progress will have begun
			eventually(t, 10*time.Second, "a whole segment is lost", func() bool {
				return time.Now().After(rate.At((killed + 1) * segmentFrames).UTC())
			})
		}
		a.start()
		a.eventually(20*time.Second, "the channel comes back by itself", func() bool { return a.state().State == "running" })
		for _, f := range followers {
			f.compare()
			f.comesBack(killed, late)
		}
	}
}

// follower keeps all that a rendition's playlist ever listed.
type follower struct {
	a         *appliance
	rendition string
	newest    *playlist
	bytes     map[string][]byte // by URI
	last      string            // the newest part
}

func newFollower(a *appliance, rendition string) *follower {
	return &follower{a: a, rendition: rendition, bytes: map[string][]byte{}}
}

// look reads the playlist and fetches what is new in it.
func (f *follower) look() {
	f.a.t.Helper()
	p := f.a.playlist(f.rendition, "")
	if f.newest != nil {
		require.GreaterOrEqual(f.a.t, p.sequence, f.newest.sequence, "MEDIA-SEQUENCE steps back")
		require.GreaterOrEqual(f.a.t, p.next(), f.newest.next(), "the live edge steps back")
	}
	for _, uri := range p.uris() {
		if f.bytes[uri] == nil {
			f.bytes[uri] = f.fetch(uri, http.StatusOK)
		}
	}
	f.newest = p
	if len(p.open) > 0 {
		f.last = p.open[len(p.open)-1]
	}
}

func (f *follower) fetch(uri string, status int) []byte {
	f.a.t.Helper()
	got, data, err := get(context.Background(), f.a.renditionURL(f.rendition, uri))
	require.NoError(f.a.t, err)
	require.Equal(f.a.t, status, got, "%s/%s: %s", f.rendition, uri, data)
	return data
}

// killMidSegment kills the node when some parts of a segment are listed, and
// gives the segment's number.
func killMidSegment(a *appliance, followers []*follower) int64 {
	a.t.Helper()
	first := a.playlist(followers[0].rendition, "").next()
	a.eventually(30*time.Second, "a segment is half there", func() bool {
		for _, f := range followers {
			f.look()
		}
		for _, f := range followers {
			if parts := len(f.newest.open); f.newest.next() < first+1 || parts < 4 || parts > 12 {
				return false
			}
		}
		store := a.call(200, "GET", "/v1/channels/main/state", nil)["store"].(map[string]any)
		return store["state"] == "ok" // else it promises nothing
	})
	a.kill()
	return followers[0].newest.next()
}

// compare holds what is served now to what was served before the kill. What
// was listed last may be lost, and then it must stay so.
func (f *follower) compare() {
	f.a.t.Helper()
	for _, uri := range slices.Sorted(maps.Keys(f.bytes)) {
		status, data, err := get(f.a.t.Context(), f.a.renditionURL(f.rendition, uri))
		require.NoError(f.a.t, err)
		if uri == f.last && status == http.StatusNotFound {
			f.a.t.Logf("%s/%s, the last part, was lost", f.rendition, uri)
			delete(f.bytes, uri)
			continue
		}
		require.Equal(f.a.t, http.StatusOK, status, "%s/%s was listed", f.rendition, uri)
		require.True(f.a.t, bytes.Equal(f.bytes[uri], data), "%s/%s has other bytes than before", f.rendition, uri)
	}
}

// comesBack holds the playlist after a start to the one before.
func (f *follower) comesBack(killed int64, late bool) {
	t := f.a.t
	t.Helper()
	before := f.newest
	f.a.eventually(20*time.Second, "new parts are listed", func() bool {
		p := f.a.playlist(f.rendition, "")
		return p.next() > killed+1 || p.next() == killed+1 && len(p.open) > 0
	})
	f.look()
	require.Equal(t, before.sequence, f.newest.sequence, "nothing expired")
	require.Equal(t, before.init, f.newest.init)
	require.NotContains(t, f.newest.text, "#EXT-X-DISCONTINUITY\n", "the same init section, decode times that go on")

	// The segment that was cut off is what was listed of it, once and for all.
	short := f.newest.segments[killed-f.newest.sequence]
	require.False(t, short.gap)
	var parts []byte
	for _, uri := range before.open {
		parts = append(parts, f.bytes[uri]...)
	}
	require.True(t, bytes.HasPrefix(parts, f.bytes[short.uri]) || bytes.HasPrefix(f.bytes[short.uri], parts),
		"segment %d is made of its parts", killed)
	never := strings.TrimSuffix(short.uri, ".m4s") + ".15.m4s"
	f.fetch(never, http.StatusNotFound)

	gaps := f.newest.gaps()
	for _, number := range gaps {
		require.True(t, number > killed || slices.Contains(before.gaps(), number), "segment %d was stored and is no gap", number)
		if !slices.Contains(gaps, number+1) && (number+1 < f.newest.next() || len(f.newest.open) > 0) {
			require.Contains(t, f.newest.dated, number+1, "the time is told after a gap")
		}
	}
	if late {
		require.Contains(t, gaps, killed+1, f.newest.text)
	}
}
