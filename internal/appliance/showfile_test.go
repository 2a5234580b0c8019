package appliance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

// plans are the steps of an import as lines.
func plans(t *testing.T, a answer) (lines []string) {
	t.Helper()
	var imported api.ImportAnswer
	require.NoError(t, json.Unmarshal([]byte(a.body), &imported))
	for _, step := range imported.Plan {
		lines = append(lines, strings.TrimSpace(string(step.Action)+" "+string(step.Kind)+" "+step.Id+" "+strings.Join(step.Fields, " ")))
	}
	return lines
}

// furnish gives a node a show that has something of everything.
func furnish(c client) {
	c.must(201, "POST", "/v1/sources", `{"id":"cam2","name":"Two: \"é\"","kind":"push","latencyMs":350,"srtPassphrase":"correct horse","onLoss":{"holdMs":0}}`)
	c.must(201, "POST", "/v1/channels", smallChannel)
	c.must(201, "POST", "/v1/channels/main/scenes", `{"id":"pip","layers":[{"source":"cam1"},{"source":"test1","rect":{"x":0.7,"y":0.7,"w":0.25,"h":0.25},"opacity":0.5,"z":2}]}`)
	c.must(200, "PATCH", "/v1/channels/main", `{"preview":"pip"}`, "If-Match", "*")
	c.must(200, "PATCH", "/v1/channels/main/audio/cam1", `{"gainDb":-6.5,"mode":"off"}`)
	c.must(200, "POST", "/v1/channels/demo/stop", "")
}

func TestAnExportImportedIsTheSameShow(t *testing.T) {
	first := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	furnish(first)
	exported := first.must(200, "GET", "/v1/export", "").body
	require.NotContains(t, exported, "correct horse")
	require.NotContains(t, exported, "secrets")
	require.Empty(t, plans(t, first.must(200, "POST", "/v1/import", exported)), "unchanged is no change")
	require.Empty(t, plans(t, first.must(200, "POST", "/v1/import?prune=true", exported)))

	second := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	for _, id := range []string{"demo"} { // an empty node
		second.must(204, "DELETE", "/v1/channels/"+id, "", "If-Match", "*")
	}
	dry := plans(t, second.must(200, "POST", "/v1/import?dryRun=true&prune=true", exported))
	require.Contains(t, dry, "create source cam2")
	second.must(404, "GET", "/v1/sources/cam2", "")
	require.Equal(t, dry, plans(t, second.must(200, "POST", "/v1/import?prune=true", exported)))
	require.JSONEq(t, exported, second.must(200, "GET", "/v1/export", "").body)
	require.Empty(t, plans(t, second.must(200, "POST", "/v1/import", exported)))
	require.Equal(t, "stopped", second.must(200, "GET", "/v1/channels/demo/state", "").field(t, "state"))

	whole := first.must(200, "GET", "/v1/export?secrets=true", "").body
	require.Contains(t, whole, "correct horse")
	second.must(200, "POST", "/v1/import", whole)
	require.JSONEq(t, whole, second.must(200, "GET", "/v1/export?secrets=true", "").body)
	require.Empty(t, plans(t, second.must(200, "POST", "/v1/import", whole)))
	require.Contains(t, first.must(200, "GET", "/v1/audit?action=exportShow", "").body, "exportShow", "to show secrets is written down")
	newClient(t, first.node, api.ScopeOperate).must(403, "GET", "/v1/export", "")
}

func TestAnImportChangesWhatIsDifferent(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	furnish(c)
	var show map[string]any
	require.NoError(t, json.Unmarshal([]byte(c.must(200, "GET", "/v1/export", "").body), &show))
	show["sources"] = show["sources"].([]any)[:len(show["sources"].([]any))-1] // without test4
	show["sources"].([]any)[1].(map[string]any)["name"] = "Other"
	channels := show["channels"].([]any)
	show["channels"] = channels[1:] // without demo
	channels[1].(map[string]any)["name"] = "Main"
	channels[1].(map[string]any)["program"] = "pip"
	delete(show, "audio")
	text, err := json.Marshal(show)
	require.NoError(t, err)
	require.Equal(t, []string{
		"change source cam2 name", "change channel main name", "change audio main/cam1 gainDb mode", "delete channel demo", "delete source test4",
	}, plans(t, c.must(200, "POST", "/v1/import?prune=true", string(text))))
	main := c.must(200, "GET", "/v1/channels/main", "")
	require.Equal(t, "two-up", main.field(t, "program"), "an import never cuts")
	require.Equal(t, "Main", main.field(t, "name"))
	c.must(404, "GET", "/v1/sources/test4", "")
	require.Equal(t, "follow", c.must(200, "GET", "/v1/channels/main/audio/cam1", "").field(t, "mode"))
}

func TestAFaultyShowChangesNothing(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	furnish(c)
	before := c.must(200, "GET", "/v1/export", "").body
	refused := c.must(422, "POST", "/v1/import", `{"version":1,
		"sources":[{"id":"new","kind":"push"},{"id":"new","kind":"push"},{"id":"cam1","kind":"test"},{"id":"bad","kind":"test","srtPassphrase":"correct horse"}],
		"channels":[{"id":"main","canvas":{"width":320,"height":180,"rate":"25"},"sources":["nobody"],"ladder":[{"id":"v","width":320,"height":180,"bitrate":500000}],"scenes":[{"id":"x"}]}],
		"audio":{"none":{"a":{"mute":true}},"main":{"b":{"mute":true}}},"secrets":{"sources":{"ghost":{}}}}`)
	for _, want := range []string{
		"/sources/1/id", "/sources/2/kind", "/sources/3/srtPassphrase", "/channels/0/sources/0", "/channels/0/canvas", "/channels/0/ladder", "/channels/0/scenes", "/audio/none", "/audio/main/b", "/secrets/sources/ghost",
	} {
		require.Contains(t, refused.body, `"pointer":"`+want+`"`)
	}
	c.must(422, "POST", "/v1/import", `{"version":2}`)
	c.must(422, "POST", "/v1/import", `{}`)
	key := c.must(200, "POST", "/v1/sources/cam1/reveal-key", "").field(t, "key").(string)
	c.must(422, "POST", "/v1/import", `{"version":1,"sources":[{"id":"cam7","kind":"push"}],"secrets":{"sources":{"cam7":{"key":"`+key+`"}}}}`)
	require.JSONEq(t, before, c.must(200, "GET", "/v1/export", "").body)
}
