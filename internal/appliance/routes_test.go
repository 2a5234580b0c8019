package appliance

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"millrace/api"
)

// document is what /openapi.json says.
func document(t testing.TB, node *Node) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData([]byte(client{t.(*testing.T), node, ""}.must(200, "GET", "/openapi.json", "").body))
	require.NoError(t, err)
	require.Equal(t, "3.1.0", document.OpenAPI)
	return document
}

// paths fills in things that there are for the parameters of a path.
func fill(path string) string {
	path = strings.Replace(path, "/channels/{id}", "/channels/demo", 1)
	if !strings.HasPrefix(path, "/v1/sources/") && !strings.HasPrefix(path, "/v1/users/") {
		path = strings.Replace(path, "{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", 1)
	}
	return strings.NewReplacer("{id}", "cam1", "{sid}", "grid", "{oid}", "name", "{source}", "test1").Replace(path)
}

// endless are the routes that go on answering.
func endless(path string) bool { return path == "/v1/events" }

// TestEveryRouteAsksForItsKey walks the document: 401 without a key, 403 with
// too small a scope, and never a 5xx.
func TestEveryRouteAsksForItsKey(t *testing.T) {
	node := openNode(t, t.TempDir())
	nobody := client{t, node, ""}
	viewer, player := newClient(t, node, api.ScopeView), newClient(t, node, api.ScopePlayback, api.ScopeIngest)
	for path, item := range document(t, node).Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Security != nil && len(*operation.Security) == 0 {
				continue // public
			}
			filled := fill(path)
			t.Run(method+" "+path, func(t *testing.T) {
				require.Equal(t, 401, nobody.call(method, filled, `{}`).status)
				require.Equal(t, 401, client{t, node, "not-a-key-not-a-key-not"}.call(method, filled, `{}`).status)
				require.Equal(t, 401, nobody.call(method, filled, `{}`, "Cookie", "millrace_session=not-a-session").status)
				require.Equal(t, 403, player.call(method, filled, `{}`).status)
				scope, named := operation.Extensions["x-scope"]
				switch {
				case method != "GET" && !(named && scope == "view") || named && scope != "view":
					require.Equal(t, 403, viewer.call(method, filled, `{}`).status)
				case !endless(path) && method == "GET":
					require.Less(t, viewer.call(method, filled, "").status, 500)
				}
			})
		}
	}
	for _, open := range []string{"/livez", "/openapi.json", "/docs", "/"} {
		nobody.must(200, "GET", open, "")
	}
	nobody.must(401, "GET", "/metrics", "")
	require.Contains(t, viewer.must(200, "GET", "/metrics", "").body, "millrace_memory_bytes")
}

// hostile are names that somebody makes trouble with.
func hostile() []string {
	return []string{
		`<img src=x onerror=alert(1)>`, `..`, `../../etc/passwd`, "a\x00b", `%00`, `'; DROP TABLE x; --`, strings.Repeat("a", 5000),
		"\xff\xfe", `{{7*7}}`, "cam1\r\nSet-Cookie: a=b", `..%2f..%2fnode.key`, "\u202Eevil",
	}
}

func TestHostileNamesAreRefusedEverywhere(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	paths := document(t, node).Paths.Map()
	for path, item := range paths {
		if !strings.Contains(path, "{") {
			continue
		}
		for method := range item.Operations() {
			for _, name := range hostile() {
				escaped := url.PathEscape(name)
				at := strings.NewReplacer("{id}", escaped, "{sid}", escaped, "{did}", escaped, "{oid}", escaped, "{source}", escaped).Replace(path)
				a := c.call(method, at, `{}`, "If-Match", "*")
				require.GreaterOrEqual(t, a.status, 400, "%s %q", method, at)
				require.Less(t, a.status, 500, "%s %q: %s", method, at, a.body)
				require.NotContains(t, a.body, "<img", "an answer never repeats markup as markup")
				require.Empty(t, a.header.Get("Set-Cookie"))
			}
		}
	}
	for _, name := range hostile() {
		quoted, err := json.Marshal(name)
		require.NoError(t, err)
		for _, body := range []string{`{"id":%s,"kind":"push"}`, `{"id":"cam9","kind":%s}`} {
			require.Equal(t, 422, c.call("POST", "/v1/sources", fmt.Sprintf(body, quoted)).status)
		}
	}
	// A name, as opposed to an id, may be anything; it is never markup.
	made := c.must(201, "POST", "/v1/sources", `{"id":"cam9","kind":"push","name":"<img src=x onerror=alert(1)>"}`)
	require.NotContains(t, made.body, "<img")
	require.Equal(t, `<img src=x onerror=alert(1)>`, made.field(t, "name"))
}

func TestLargeBodiesAreRefusedEverywhere(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	large := `{"name":"` + strings.Repeat("x", 10<<20) + `"}`
	for path, item := range document(t, node).Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.RequestBody != nil && operation.Extensions["x-raw-body"] != true {
				require.Equal(t, 413, c.call(method, fill(path), large, "If-Match", "*").status, "%s %s", method, path)
			}
		}
	}
}

func TestPagesAreStrict(t *testing.T) {
	got := client{t, openNode(t, t.TempDir()), ""}.must(200, "GET", "/docs", "")
	policy := got.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
		require.Contains(t, policy, want)
	}
	require.NotContains(t, policy, "unsafe")
	require.NotContains(t, got.body, "<script>")
	require.NotContains(t, got.body, "style=")
}

// FuzzAPI sends requests that the document describes, with values that it does
// and that it does not: nothing may end in a 5xx.
func FuzzAPI(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		node := openNode(t, t.TempDir())
		c := newClient(t, node, api.ScopeManage)
		described := document(t, node)
		g := generator{rand.New(rand.NewPCG(seed, 0)), described}
		var paths []string
		for path := range described.Paths.Map() {
			if !endless(path) {
				paths = append(paths, path)
			}
		}
		slices.Sort(paths)
		for range 60 {
			path := paths[g.IntN(len(paths))]
			operations := described.Paths.Value(path).Operations()
			methods := []string{}
			for method := range operations {
				methods = append(methods, method)
			}
			slices.Sort(methods)
			method := methods[g.IntN(len(methods))]
			at, body := g.path(path), g.body(operations[method])
			a := c.call(method, at, body, "If-Match", "*")
			// What the node does not do yet, and what it cannot do just now.
			if a.status != 501 && a.status != 503 {
				require.Less(t, a.status, 500, "%s %s %s: %s", method, at, body, a.body)
			}
		}
	})
}

// generator makes values for schemas, and now and then for none.
type generator struct {
	*rand.Rand
	document *openapi3.T
}

func (g generator) path(path string) string {
	if g.IntN(4) > 0 {
		return fill(path)
	}
	names := append(hostile(), "cam1", "demo", "grid", "main", "test2")
	return strings.NewReplacer("{id}", url.PathEscape(names[g.IntN(len(names))]), "{sid}", url.PathEscape(names[g.IntN(len(names))]),
		"{source}", url.PathEscape(names[g.IntN(len(names))])).Replace(path)
}

func (g generator) body(operation *openapi3.Operation) string {
	if operation.RequestBody == nil {
		return ""
	}
	content := operation.RequestBody.Value.Content["application/json"]
	if content == nil {
		return "{}"
	}
	text, err := json.Marshal(g.value(content.Schema, 0))
	if err != nil {
		return "{}"
	}
	if g.IntN(10) == 0 { // broken
		text = text[:g.IntN(len(text))]
	}
	return string(text)
}

func (g generator) value(ref *openapi3.SchemaRef, depth int) any {
	if ref == nil || depth > 6 || g.IntN(12) == 0 {
		return g.odd()
	}
	schema := ref.Value
	switch {
	case len(schema.OneOf) > 0:
		return g.value(schema.OneOf[g.IntN(len(schema.OneOf))], depth+1)
	case len(schema.Enum) > 0:
		return schema.Enum[g.IntN(len(schema.Enum))]
	case schema.Type.Includes("object"):
		object := map[string]any{}
		for name, property := range schema.Properties {
			if slices.Contains(schema.Required, name) || g.IntN(2) == 0 {
				object[name] = g.value(property, depth+1)
			}
		}
		return object
	case schema.Type.Includes("array"):
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(schema.Items, depth+1))
		}
		return list
	case schema.Type.Includes("integer"), schema.Type.Includes("number"):
		low, high := 0.0, 4000.0
		if schema.Min != nil {
			low = *schema.Min
		}
		if schema.Max != nil {
			high = *schema.Max
		}
		return int(low + g.Float64()*(high-low))
	case schema.Type.Includes("boolean"):
		return g.IntN(2) == 0
	}
	words := []string{"demo", "cam1", "cam2", "grid", "solo", "test1", "2026-11-20T12:00:00.000Z", "#ffffff", "a-new-thing", "correct horse battery"}
	return words[g.IntN(len(words))]
}

// odd is a value that nobody expects.
func (g generator) odd() any {
	return []any{nil, -1, 1e308, "", strings.Repeat("x", 300), []any{}, map[string]any{}, true, "<img onerror>", "..", "\x00", 9007199254740993, []any{nil, 1, "a"}}[g.IntN(13)]
}
