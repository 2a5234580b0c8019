package appliance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/internal/media"
)

func TestMarks(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c := newClient(t, node, api.ScopeManage)
	now := time.Now().UTC().Truncate(time.Second)
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05.000Z") }
	first := c.must(201, "POST", "/v1/channels/demo/marks", fmt.Sprintf(`{"text":"goal","at":%q}`, at(-time.Minute)))
	require.Equal(t, at(-time.Minute), first.field(t, "time"))
	c.must(201, "POST", "/v1/channels/demo/marks", fmt.Sprintf(`{"text":"before it","at":%q}`, at(-2*time.Minute)))
	c.must(201, "POST", "/v1/channels/demo/marks", `{"text":"now"}`)
	c.must(422, "POST", "/v1/channels/demo/marks", fmt.Sprintf(`{"text":"x","at":%q}`, at(2*time.Hour)))
	c.must(422, "POST", "/v1/channels/demo/marks", fmt.Sprintf(`{"text":"x","at":%q}`, at(-2*time.Hour)))
	c.must(422, "POST", "/v1/channels/demo/marks", `{"text":""}`)
	c.must(404, "POST", "/v1/channels/none/marks", `{"text":"x"}`)
	texts := func(c client, query string) (texts []string) {
		for _, e := range c.must(200, "GET", "/v1/channels/demo/timeline"+query, "").field(t, "events").([]any) {
			texts = append(texts, e.(map[string]any)["text"].(string))
		}
		return texts
	}
	require.Equal(t, []string{"before it", "goal"}, texts(c, "?to="+at(-time.Second)))
	require.Equal(t, []string{"goal"}, texts(c, "?from="+at(-time.Minute)+"&to="+at(-time.Second)))
	c.must(422, "GET", "/v1/channels/demo/timeline?from="+at(0)+"&to="+at(0), "")
	c.must(422, "GET", "/v1/channels/demo/timeline?from=yesterday", "")
	require.NoError(t, node.Close())

	again := client{t, openNode(t, dir), c.key}
	require.Equal(t, []string{"before it", "goal"}, texts(again, "?to="+at(-time.Second)))
	again.must(204, "DELETE", "/v1/channels/demo", "", "If-Match", "*")
	documents, err := again.node.state.List(t.Context(), kindShowLog)
	require.NoError(t, err)
	require.Empty(t, documents)
}

func TestShowLogExpiresAndIsBounded(t *testing.T) {
	node := openNode(t, t.TempDir())
	l := node.channels.showLog
	event := func(page int64) api.ShowEvent {
		return api.ShowEvent{Frame: page * 7500, Type: api.ShowEventTypeCut, Time: stamp(media.Time(page * int64(logPage)))}
	}
	none := func(int64) bool { return false }
	for page := int64(100); page < 105; page++ {
		require.NoError(t, l.add(t.Context(), "demo", event(page), none))
	}
	require.NoError(t, l.add(t.Context(), "demo", event(105), func(page int64) bool { return page < 103 }))
	require.Len(t, l.between("demo", 0, media.Time(200*int64(logPage))), 3)
	d := l.pages["demo"][105]
	d.Events = make([]api.ShowEvent, logEvents)
	l.pages["demo"][105] = d
	require.Error(t, l.add(t.Context(), "demo", event(105), none))
}
