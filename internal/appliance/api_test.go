package appliance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestSourceLife(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	made := c.must(201, "POST", "/v1/sources", `{"id":"cam2","name":"Camera 2","kind":"push"}`)
	key := made.field(t, "key").(string)
	require.Regexp(t, `^[A-Za-z0-9._~-]{20,}$`, key)
	require.Equal(t, "/v1/sources/cam2", made.header.Get("Location"))
	require.Contains(t, made.body, `"streamKey":"`+key+`"`)
	require.Contains(t, made.body, `"latencyMs":200`, "defaults are filled in")
	require.Contains(t, made.body, `"clock":"arrival"`)

	got := c.must(200, "GET", "/v1/sources/cam2", "")
	require.NotContains(t, got.body, key, "a GET never shows a key")
	require.NotContains(t, c.must(200, "GET", "/v1/sources", "").body, key)
	tag := got.header.Get("ETag")
	require.NotEmpty(t, tag)

	c.must(428, "PATCH", "/v1/sources/cam2", `{"name":"x"}`)
	patched := c.must(200, "PATCH", "/v1/sources/cam2", `{"name":"Stage"}`, "If-Match", tag, "Content-Type", "application/merge-patch+json")
	require.Equal(t, "Stage", patched.field(t, "name"))
	bySender := c.must(200, "PATCH", "/v1/sources/cam2", `{"clock":"sender"}`, "If-Match", "*")
	require.Equal(t, "sender", bySender.field(t, "clock"))
	require.Contains(t, c.must(200, "GET", "/v1/sources/cam2/stats", "").body, `"clock":"arrival"`, "nobody has told a clock")
	c.must(422, "PATCH", "/v1/sources/cam2", `{"clock":"sun"}`, "If-Match", "*")
	c.must(412, "PATCH", "/v1/sources/cam2", `{"name":"late"}`, "If-Match", tag)
	c.must(412, "DELETE", "/v1/sources/cam2", "", "If-Match", tag)

	rotated := c.must(200, "POST", "/v1/sources/cam2/rotate-key", "")
	require.NotEqual(t, key, rotated.field(t, "key"))
	require.Equal(t, rotated.field(t, "key"), c.must(200, "POST", "/v1/sources/cam2/reveal-key", "").field(t, "key"))

	c.must(204, "DELETE", "/v1/sources/cam2", "", "If-Match", "*")
	c.must(404, "GET", "/v1/sources/cam2", "")
}

func TestInvalidBodiesNameEveryFault(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	for _, test := range []struct {
		name, path, body string
		status           int
		want             []string
	}{
		{"not JSON", "/v1/sources", `{"id":`, 400, []string{"not JSON"}},
		{"unknown field", "/v1/sources", `{"id":"a","kind":"push","colour":1}`, 422, []string{`unknown field \"colour\"`, `"pointer":"/colour"`}},
		{"form and meaning at once", "/v1/channels", `{"id":"A","canvas":{"width":641,"height":360,"rate":"25"},"sources":["nope"],"frob":1,
			"ladder":[{"id":"v","width":640,"height":360,"bitrate":1}]}`, 422,
			[]string{`"pointer":"/id"`, `must be 1 to 40 of a-z`, `"pointer":"/frob"`, `must be at least 50000`, `"pointer":"/sources/0"`, `"pointer":"/canvas"`}},
		{"planned field", "/v1/sources", `{"id":"a","kind":"push","backup":{}}`, 422, []string{`this version does not do \"backup\" yet`}},
		{"no such kind", "/v1/sources", `{"id":"a","kind":"tape"}`, 422, []string{`"pointer":"/kind"`}},
		{"all at once", "/v1/sources", `{"id":"A B","kind":"push","latencyMs":-1}`, 422, []string{`"pointer":"/id"`, `"pointer":"/latencyMs"`}},
		{"missing", "/v1/sources", `{}`, 422, []string{`\"id\"`, `\"kind\"`}},
		{"channel", "/v1/channels", `{"id":"c","canvas":{"width":641,"height":360,"rate":"25"},"sources":["nope"],
			"scenes":[{"id":"s","layout":"solo","slots":["other"]}],"program":"t",
			"ladder":[{"id":"v","width":1280,"height":720,"bitrate":1000000},{"id":"v","width":320,"height":180,"bitrate":100000}]}`, 422,
			[]string{`"pointer":"/canvas"`, `"pointer":"/sources/0"`, `"pointer":"/scenes/0/slots/0"`, `"pointer":"/program"`, `"pointer":"/ladder/0"`, `"pointer":"/ladder/1/id"`}},
		{"rate", "/v1/channels", `{"id":"c","canvas":{"width":640,"height":360,"rate":"29.97"},"ladder":[]}`, 422, []string{"/canvas/rate", "/ladder"}},
		{"a ladder for cards only", "/v1/channels", `{"id":"c","canvas":{"width":640,"height":360,"rate":"25"},"ladder":[{"id":"v","width":640,"height":360,"bitrate":500000,"codec":"av1"}]}`, 422,
			[]string{"one rung at least must be h264", `"pointer":"/ladder"`}},
		{"no such codec", "/v1/channels", `{"id":"c","canvas":{"width":640,"height":360,"rate":"25"},"ladder":[{"id":"v","width":640,"height":360,"bitrate":500000,"codec":"vp9"}]}`, 422,
			[]string{`"pointer":"/ladder/0/codec"`}},
		{"a rung that takes a card", "/v1/channels", `{"id":"c","canvas":{"width":640,"height":360,"rate":"25"},"ladder":[{"id":"v","width":640,"height":360,"bitrate":500000,"codec":"h264"},
			{"id":"h","width":640,"height":360,"bitrate":500000,"codec":"hevc"}]}`, 409,
			[]string{"only cards encode HEVC and AV1, which h asks for: ", "leave that out, or make it h264"}},
		{"planned playback", "/v1/channels", `{"id":"c","canvas":{"width":640,"height":360,"rate":"25"},"ladder":[{"id":"v","width":640,"height":360,"bitrate":500000}],"playback":{"auth":"token"}}`, 422, []string{`this version does not do \"token\" yet`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := c.call("POST", test.path, test.body)
			require.Equal(t, test.status, got.status, got.body)
			require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
			for _, want := range test.want {
				require.Contains(t, got.body, want)
			}
		})
	}
	require.Equal(t, 413, c.call("POST", "/v1/sources", `{"name":"`+strings.Repeat("x", 2<<20)+`"}`).status)
	require.Equal(t, 415, c.call("POST", "/v1/sources", `<xml/>`, "Content-Type", "text/xml").status)
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	require.Equal(t, 400, c.call("POST", "/v1/sources", deep).status)
}

const smallChannel = `{"id":"main","canvas":{"width":640,"height":360,"rate":"25"},"sources":["cam1","test1"],
	"ladder":[{"id":"v360","width":640,"height":360,"bitrate":800000}]}`

func TestChannelLife(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	made := c.must(201, "POST", "/v1/channels", smallChannel)
	require.Equal(t, "two-up", made.field(t, "program"), "a channel without scenes gets one")
	c.must(409, "POST", "/v1/channels", smallChannel)
	c.must(409, "DELETE", "/v1/sources/cam1", "", "If-Match", "*")

	scene := c.must(201, "POST", "/v1/channels/main/scenes", `{"id":"pip","layers":[{"source":"cam1"},{"source":"test1","rect":{"x":0.7,"y":0.7,"w":0.25,"h":0.25},"opacity":0.5,"z":2}]}`)
	tag := scene.header.Get("ETag")
	require.Equal(t, tag, c.must(200, "GET", "/v1/channels/main", "").header.Get("ETag"), "a scene's tag is its channel's")
	c.must(422, "PUT", "/v1/channels/main/scenes/pip", `{"id":"pip","layout":"grid-5"}`, "If-Match", tag)
	changed := c.must(200, "PATCH", "/v1/channels/main/scenes/pip", `{"name":"Inset"}`, "If-Match", tag)
	require.Contains(t, changed.body, `"opacity":0.5`)
	c.must(409, "DELETE", "/v1/channels/main/scenes/two-up", "", "If-Match", "*")
	c.must(204, "DELETE", "/v1/channels/main/scenes/pip", "", "If-Match", "*")
	c.must(404, "GET", "/v1/channels/main/scenes/pip", "")

	frozen := c.must(422, "PATCH", "/v1/channels/main", `{"canvas":{"rate":"30"}}`, "If-Match", "*")
	require.Contains(t, frozen.body, `"pointer":"/canvas"`)
	for _, action := range []string{"cut", "auto", "ftb"} {
		c.must(409, "POST", "/v1/channels/main/"+action, `{}`) // it does not run
	}
	c.must(409, "POST", "/v1/channels/main/batch", `{"preview":"two-up","program":{},"ftb":{"on":true}}`)
	c.must(422, "POST", "/v1/channels/main/batch", `{"expect":{"program":"two-up"}}`) // nothing to do
	c.must(404, "POST", "/v1/channels/main/batch", `{"preview":"two-up","program":{"scene":"nowhere"}}`)
	c.must(404, "POST", "/v1/channels/main/batch", `{"preview":"two-up","overlays":{"nobody":true}}`)
	made = c.must(201, "POST", "/v1/channels/main/overlays", `{"id":"name","kind":"text","text":"Jane Doe","rect":{"x":0.1,"y":0.8,"w":0.4,"h":0.1},"fadeMs":300}`)
	require.Equal(t, made.header.Get("ETag"), c.must(200, "GET", "/v1/channels/main", "").header.Get("ETag"))
	c.must(409, "POST", "/v1/channels/main/overlays", `{"id":"name","kind":"clock","rect":{"x":0,"y":0,"w":1,"h":1}}`)
	for _, bad := range []string{
		`{"id":"b","kind":"text","rect":{"x":0,"y":0,"w":1,"h":1}}`, `{"id":"b","kind":"text","text":"a","rect":{"x":0.9,"y":0,"w":1,"h":1}}`,
		`{"id":"b","kind":"clock","zone":"Moon/Sea","rect":{"x":0,"y":0,"w":1,"h":1}}`, `{"id":"b","kind":"text","text":"a\u0000","rect":{"x":0,"y":0,"w":1,"h":1}}`,
		`{"id":"b","kind":"text","text":"a","rect":{"x":0,"y":0,"w":1,"h":1},"style":{"color":"red"}}`,
	} {
		c.must(422, "POST", "/v1/channels/main/overlays", bad)
	}
	require.Contains(t, c.must(200, "PATCH", "/v1/channels/main/overlays/name", `{"text":"John Doe"}`, "If-Match", "*").body, "John")
	c.must(409, "POST", "/v1/channels/main/overlays/name/on", `{}`) // it does not run
	c.must(404, "POST", "/v1/channels/main/overlays/nobody/on", `{}`)
	c.must(204, "DELETE", "/v1/channels/main/overlays/name", "", "If-Match", "*")
	c.must(404, "GET", "/v1/channels/main/overlays/name", "")
	loud := c.must(200, "PATCH", "/v1/channels/main", `{"audio":{"loudness":{"targetLufs":-23}}}`, "If-Match", "*")
	require.Contains(t, loud.body, `"targetLufs":-23`)
	c.must(422, "PATCH", "/v1/channels/main", `{"audio":{"bitrate":64000}}`, "If-Match", "*")
	c.must(422, "PATCH", "/v1/channels/main", `{"audio":{"loudness":{"targetLufs":3}}}`, "If-Match", "*")
	c.must(422, "POST", "/v1/channels/main/auto", `{"transition":"explode"}`)
	c.must(422, "POST", "/v1/channels/main/auto", `{"durationMs":99999}`)
	c.must(422, "POST", "/v1/channels/main/tbar", `{"position":1.5}`)
	c.must(422, "POST", "/v1/channels/main/tbar", `{}`)
	require.Contains(t, c.must(200, "PATCH", "/v1/channels/main", `{"transition":{"type":"wipe","durationMs":300}}`, "If-Match", "*").body, `"wipe"`)
	c.must(200, "PATCH", "/v1/channels/main/audio/cam1", `{"gainDb":-6}`)
	require.Contains(t, c.must(200, "GET", "/v1/channels/main/audio", "").body, `"gainDb":-6`)
	c.must(422, "PATCH", "/v1/channels/main/audio/cam1", `{"gainDb":1e9}`)
	c.must(404, "PATCH", "/v1/channels/main/audio/nobody", `{"mute":true}`)
	stopped := c.must(200, "POST", "/v1/channels/main/stop", "")
	require.Equal(t, "stopped", stopped.field(t, "state"))
	c.must(204, "DELETE", "/v1/channels/main", "", "If-Match", "*")
	c.must(404, "GET", "/v1/channels/main/state", "")
}

func TestWhatWasAcknowledgedIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c := newClient(t, node, api.ScopeManage)
	made := c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push","srtPassphrase":"correct horse"}`)
	c.must(201, "POST", "/v1/channels", smallChannel)
	c.must(200, "PATCH", "/v1/channels/main/audio/cam1", `{"mute":true}`)
	before := c.must(200, "GET", "/v1/channels/main", "")
	require.NoError(t, node.Close())

	again := client{t, openNode(t, dir), c.key}
	require.Equal(t, made.field(t, "key"), again.must(200, "POST", "/v1/sources/cam2/reveal-key", "").field(t, "key"))
	require.Equal(t, true, again.must(200, "GET", "/v1/sources/cam2", "").field(t, "srtEncrypted"))
	after := again.must(200, "GET", "/v1/channels/main", "")
	require.Equal(t, before.body, after.body)
	require.Equal(t, before.header.Get("ETag"), after.header.Get("ETag"))
	require.Equal(t, true, again.must(200, "GET", "/v1/channels/main/audio/cam1", "").field(t, "mute"))
}

func TestIdempotencyKey(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	first := c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`, "Idempotency-Key", "k1")
	second := c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`, "Idempotency-Key", "k1")
	require.Equal(t, first.body, second.body)
	require.Equal(t, first.header.Get("ETag"), second.header.Get("ETag"))
	c.must(422, "POST", "/v1/sources", `{"id":"cam3","kind":"push"}`, "Idempotency-Key", "k1")
	c.must(409, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`, "Idempotency-Key", "k2")
}

func TestPagesByCursor(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	var seen []string
	path := "/v1/sources?limit=2"
	for path != "" {
		page := c.must(200, "GET", path, "")
		for _, item := range page.field(t, "items").([]any) {
			seen = append(seen, item.(map[string]any)["id"].(string))
		}
		path = ""
		if next, ok := page.field(t, "nextCursor").(string); ok {
			path = "/v1/sources?limit=2&cursor=" + next
		}
	}
	require.Equal(t, []string{"cam1", "test1", "test2", "test3", "test4"}, seen)
	c.must(422, "GET", "/v1/sources?limit=0", "")
}

func TestWhatIsNotThereSaysSo(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	for _, path := range []string{"/v1/channels/demo/destinations"} {
		require.Contains(t, c.must(501, "POST", path, `{}`).body, "this version does not do")
	}
	c.must(404, "GET", "/v1/frob", "")
	c.must(404, "POST", "/v1/channels/demo/frob", `{}`)
	c.must(405, "DELETE", "/v1/system", "")
}

func TestScopes(t *testing.T) {
	node := openNode(t, t.TempDir())
	operator := newClient(t, node, api.ScopeOperate)
	operator.must(409, "POST", "/v1/channels/demo/cut", `{}`) // may cut; it just does not run
	operator.must(403, "POST", "/v1/keys", `{"scopes":["view"]}`)
	operator.must(403, "POST", "/v1/sources/cam1/reveal-key", "")
	ingest := newClient(t, node, api.ScopeIngest)
	ingest.must(403, "GET", "/v1/channels", "")
}

func TestKeysAreNeverShownAgain(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	made := c.must(201, "POST", "/v1/keys", `{"name":"bot","scopes":["view","view"]}`)
	secret, id := made.field(t, "key").(string), made.field(t, "id").(string)
	require.NotContains(t, c.must(200, "GET", "/v1/keys", "").body, secret)
	require.Equal(t, []any{"view"}, made.field(t, "scopes"))
	bot := client{t, c.node, secret}
	bot.must(200, "GET", "/v1/channels", "")
	c.must(204, "DELETE", "/v1/keys/"+id, "", "If-Match", "*")
	bot.must(401, "GET", "/v1/channels", "")
}

func TestSession(t *testing.T) {
	node := openNode(t, t.TempDir())
	nobody := client{t, node, ""}
	link := node.newLink()
	opened := nobody.must(200, "POST", "/v1/session", fmt.Sprintf(`{"token":%q}`, link))
	nobody.must(401, "POST", "/v1/session", fmt.Sprintf(`{"token":%q}`, link)) // it works once
	cookie := opened.header.Get("Set-Cookie")
	require.Contains(t, cookie, "HttpOnly")
	require.Contains(t, cookie, "SameSite=Strict")
	value, _, _ := strings.Cut(cookie, ";")
	nobody.must(200, "GET", "/v1/channels", "", "Cookie", value)
	nobody.must(403, "POST", "/v1/sources/cam1/kick", "", "Cookie", value)
	nobody.must(403, "POST", "/v1/sources/cam1/kick", "", "Cookie", value, "Origin", "http://elsewhere.example")
	nobody.must(204, "POST", "/v1/sources/cam1/kick", "", "Cookie", value, "Origin", "http://example.com")
	nobody.must(204, "DELETE", "/v1/session", "", "Cookie", value, "Origin", "http://example.com")
	nobody.must(401, "GET", "/v1/channels", "", "Cookie", value)
}

func TestASessionEndsWithItsKey(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	made := c.must(201, "POST", "/v1/keys", `{"scopes":["manage"]}`)
	nobody := client{t, c.node, ""}
	opened := nobody.must(200, "POST", "/v1/session", fmt.Sprintf(`{"token":%q}`, made.field(t, "key")))
	value, _, _ := strings.Cut(opened.header.Get("Set-Cookie"), ";")
	nobody.must(200, "GET", "/v1/keys", "", "Cookie", value)
	c.must(204, "DELETE", "/v1/keys/"+made.field(t, "id").(string), "", "If-Match", "*")
	nobody.must(401, "GET", "/v1/keys", "", "Cookie", value)
}

func TestPathsThatNoRouteHasReachNoHandler(t *testing.T) {
	nobody := client{t, openNode(t, t.TempDir()), ""}
	for _, path := range []string{"/v1/keys/a/b", "/v1/channels/demo/scenes/a/b", "/v1/clips/a/b", "/v1/channels/demo/audio/a/b"} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "POST"} {
			require.Equal(t, 404, nobody.call(method, path, `{}`).status, "%s %s", method, path)
		}
	}
}

func TestWithoutKeysOnlyThisMachineMayAsk(t *testing.T) {
	node := openNode(t, t.TempDir())
	open, err := api.New(api.Config{Backend: node, Metrics: node.metrics(), Ready: node.Ready, Pages: http.NotFoundHandler(), Open: true, Log: node.log})
	require.NoError(t, err)
	node.handler = open
	nobody := client{t, node, ""}
	nobody.must(403, "GET", "/v1/channels", "") // for the host example.com: a rebound name
	for _, row := range []struct {
		origin string
		status int
	}{{"", 204}, {"http://127.0.0.1:8080", 204}, {"http://elsewhere.example", 403}} {
		r := httptest.NewRequest("POST", "http://127.0.0.1:8080/v1/sources/cam1/kick", nil)
		if row.origin != "" {
			r.Header.Set("Origin", row.origin)
		}
		w := httptest.NewRecorder()
		open.ServeHTTP(w, r)
		require.Equal(t, row.status, w.Code, row.origin)
	}
}

func TestSecretsAreNotStoredInTheClear(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	key := c.must(200, "POST", "/v1/sources/cam1/reveal-key", "").field(t, "key").(string)
	for _, kind := range []string{kindSource, kindKey, kindSession} {
		documents, err := node.state.List(t.Context(), kind)
		require.NoError(t, err)
		for _, document := range documents {
			require.NotContains(t, string(document.Value), key)
			require.NotContains(t, string(document.Value), c.key)
		}
	}
}
