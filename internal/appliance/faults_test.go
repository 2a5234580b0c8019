package appliance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

// TestFaultsOfAPart: what is wrong with a scene or an overlay is named as it
// stands in the body that was sent, not in the channel's document.
func TestFaultsOfAPart(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	c.must(201, "POST", "/v1/channels", smallChannel)
	for _, test := range []struct{ method, path, body, pointer string }{
		{"POST", "scenes", `{"id":"a","layout":"two-up","slots":["cam1","nobody"]}`, "/slots/1"},
		{"PUT", "scenes/two-up", `{"id":"two-up","layers":[{"source":"cam1"},{"source":"nobody"}]}`, "/layers/1/source"},
		{"PATCH", "scenes/two-up", `{"slots":["nobody"]}`, "/slots/0"},
		{"POST", "scenes", `{"id":"a","layers":[{"kind":"image","asset":"nothing"}]}`, "/layers/0/asset"},
		{"POST", "overlays", `{"id":"o","kind":"clock","zone":"Moon/Sea","rect":{"x":0,"y":0,"w":1,"h":1}}`, "/zone"},
	} {
		got := c.must(422, test.method, "/v1/channels/main/"+test.path, test.body, "If-Match", "*")
		require.Contains(t, got.body, `"pointer":"`+test.pointer+`"`, test.body)
	}
}

// TestFaultsOfTheQuery are told in the words of the API, not the validator's.
func TestFaultsOfTheQuery(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	c.must(201, "POST", "/v1/channels", smallChannel)
	for _, test := range []struct{ path, pointer, words string }{
		{"/v1/channels/main/layouts?slots=many", "#query/slots", "must be a whole number"},
		{"/v1/channels/main/layouts?slots=1e999", "#query/slots", "must be a whole number"},
		{"/v1/channels/main/layouts?slots=99", "#query/slots", "must be at most 25"},
		{"/v1/channels/main/timeline?from=yesterday", "#query/from", "must be an instant like"},
		{"/v1/alarms?state=loud", "#query/state", `must be one of \"active\", \"cleared\", \"all\"`},
		{"/v1/export?secrets=maybe", "#query/secrets", "must be true or false"},
	} {
		got := c.must(422, "GET", test.path, "")
		require.Contains(t, got.body, `{"detail":"`+test.words, test.path)
		require.Contains(t, got.body, `"pointer":"`+test.pointer+`"`, test.path)
	}
}

// TestFaultsOfAnInstant: whatever somebody takes for an instant or a frame is
// refused with words, or is one.
func TestFaultsOfAnInstant(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	c.must(201, "POST", "/v1/channels", smallChannel)
	for at, words := range map[string]string{
		`{"frame":0}`: "an instant, or a frame", `{"frame":-5}`: "an instant, or a frame", `{"frame":1.5}`: "an instant, or a frame", `{"frame":1e30}`: "an instant, or a frame",
		`"soon"`: "an instant, or a frame", `7`: "an instant, or a frame", `{"frame":9223372036854775807}`: "more than 1m0s ahead",
		`"2099-01-01T00:00:00Z"`: "more than 1m0s ahead", `"9999-12-31T23:59:59Z"`: "more than 1m0s ahead",
	} {
		got := c.must(422, "POST", "/v1/channels/main/cut", `{"at":`+at+`}`)
		require.Contains(t, got.body, words, at)
		require.Contains(t, got.body, `"pointer":"/at"`, at)
	}
	for _, past := range []string{`"0001-01-01T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `{"frame":1}`} {
		require.Contains(t, c.must(409, "POST", "/v1/channels/main/cut", `{"at":`+past+`}`).body, "not-running", past) // it would be told as past
	}
	require.Contains(t, c.must(400, "PATCH", "/v1/channels/main/audio/cam1", `{"gainDb":1e999}`).body, "too large")
}
