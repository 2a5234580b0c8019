package appliance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

// TestAudioOfAChannel: strips and master move together or not at all, and come
// back from an export.
func TestAudioOfAChannel(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	c.must(201, "POST", "/v1/channels", smallChannel)
	moved := c.must(200, "PATCH", "/v1/channels/main/audio",
		`{"sources":{"cam1":{"gainDb":-6,"duck":{"keys":["test1"]}},"test1":{"pan":0.5}},"master":{"gainDb":-3}}`)
	require.Contains(t, moved.body, `"duck":{"attackMs":30,"keys":["test1"],"ratio":4,"releaseMs":500,"thresholdDb":-35}`)
	require.Contains(t, moved.body, `"master":{"gainDb":-3}`)
	require.Contains(t, c.must(200, "PATCH", "/v1/channels/main/audio/cam1", `{"duck":{"ratio":8}}`).body, `"ratio":8`)
	before := c.must(200, "GET", "/v1/channels/main/audio", "").body

	for _, test := range []struct{ path, body, pointer string }{
		{"", `{"sources":{"cam1":{"gainDb":3},"nobody":{"mute":true}}}`, "/sources/nobody"},
		{"", `{"sources":{"cam1":{"gainDb":3},"test1":{"duck":{"keys":["test1"]}}}}`, "/sources/test1/duck/keys/0"},
		{"", `{"sources":{"test1":{"duck":{"keys":[]}}}}`, "/sources/test1/duck/keys"},
		{"", `{"sources":{"test1":{"gainDb":900}}}`, "/sources/test1/gainDb"},
		{"", `{"volume":3}`, "/volume"},
		{"/test1", `{"duck":{"keys":["nobody"]}}`, "/duck/keys/0"},
		{"/test1", `{"duck":{"keys":["cam1"],"thresholdDb":3}}`, "/duck/thresholdDb"},
	} {
		require.Contains(t, c.must(422, "PATCH", "/v1/channels/main/audio"+test.path, test.body).body, `"pointer":"`+test.pointer+`"`, test.body)
	}
	require.Equal(t, before, c.must(200, "GET", "/v1/channels/main/audio", "").body, "all or nothing")

	show := c.must(200, "GET", "/v1/export", "").body
	other := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	other.must(200, "POST", "/v1/import?prune=true", show)
	require.Equal(t, before, other.must(200, "GET", "/v1/channels/main/audio", "").body)

	c.must(200, "PATCH", "/v1/channels/main/audio", `{"sources":{"cam1":null},"master":{"gainDb":0}}`)
	require.Contains(t, c.must(200, "GET", "/v1/channels/main/audio/cam1", "").body, `{"mode":"follow"}`)
}
