package appliance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestAlarmsNeedTimeToRaiseAndToClear(t *testing.T) {
	node := openNode(t, t.TempDir())
	a, now := node.alarms, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	a.now = func() time.Time { return now }
	lost := trouble{code: "source.lost", channel: "demo", source: "cam1", severity: api.Critical, detail: "gone", lasting: 2 * time.Second}
	pass := func(seconds int, troubles ...trouble) {
		for range seconds {
			now = now.Add(time.Second)
			a.observe(t.Context(), troubles)
		}
	}
	states := func() (list []string) {
		for _, alarm := range a.ListAlarms() {
			list = append(list, fmt.Sprintf("%s %s %d", alarm.Value.Code, alarm.Value.State, alarm.Value.Count))
		}
		return list
	}
	pass(2, lost)
	require.Empty(t, states(), "a moment is no alarm")
	pass(1)
	pass(2, lost)
	require.Empty(t, states(), "two moments are none either")
	pass(1, lost)
	require.Equal(t, []string{"source.lost active 1"}, states())
	require.Equal(t, 1, a.active(api.Critical))
	pass(19)
	pass(1, lost)
	pass(19)
	require.Equal(t, []string{"source.lost active 1"}, states(), "calm must last")
	pass(3)
	require.Equal(t, []string{"source.lost cleared 1"}, states())
	pass(3, lost)
	require.Equal(t, []string{"source.lost active 2"}, states(), "what comes back soon is the same")
	other := lost
	other.source = "cam2"
	pass(3, lost, other)
	require.Equal(t, []string{"source.lost active 2", "source.lost active 1"}, states())

	id := a.ListAlarms()[0].Value.Id
	_, err := a.Shelve(t.Context(), id, time.Minute)
	require.NoError(t, err)
	require.Equal(t, 1, a.active(api.Critical), "what is on the shelf is quiet")
	now = now.Add(2 * time.Minute)
	require.Equal(t, 2, a.active(api.Critical))
	pass(22)
	now = now.Add(time.Hour)
	pass(3, lost)
	require.Len(t, states(), 3, "after a while it is a new one")
}

func TestAlarmsOverTheAPI(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c, operator := newClient(t, node, api.ScopeManage), newClient(t, node, api.ScopeOperate)
	node.observe(t.Context(), []trouble{{code: "disk.full", severity: api.Critical, detail: "full"}})
	id := c.must(200, "GET", "/v1/alarms?state=active", "").field(t, "items").([]any)[0].(map[string]any)["id"].(string)
	require.NotContains(t, c.must(200, "GET", "/v1/alarms?state=cleared", "").body, id)
	acknowledged := operator.must(200, "POST", "/v1/alarms/"+id+"/acknowledge", "")
	require.NotEmpty(t, acknowledged.field(t, "acknowledgedBy"))
	operator.must(422, "POST", "/v1/alarms/"+id+"/shelve", `{"durationMs":-1}`)
	operator.must(200, "POST", "/v1/alarms/"+id+"/shelve", `{"durationMs":60000}`)
	operator.must(403, "PATCH", "/v1/alarms/thresholds", `{"diskDays":3}`, "If-Match", "*")
	c.must(422, "PATCH", "/v1/alarms/thresholds", `{"diskDays":"x"}`, "If-Match", "*")
	c.must(200, "PATCH", "/v1/alarms/thresholds", `{"diskDays":3}`, "If-Match", "*")
	require.Contains(t, c.must(200, "GET", "/metrics", "").body, `millrace_alarms{severity="critical"} 0`)
	require.NoError(t, node.Close())

	node = openNode(t, dir)
	again := client{t, node, c.key}
	require.Equal(t, acknowledged.field(t, "acknowledgedBy"), again.must(200, "GET", "/v1/alarms/"+id, "").field(t, "acknowledgedBy"))
	require.Equal(t, 3.0, again.must(200, "GET", "/v1/alarms/thresholds", "").field(t, "diskDays"))
}

func TestSeries(t *testing.T) {
	s, now := series{within: 10 * time.Second}, time.Now()
	for i := range 5 {
		by, in := s.grown("a", now.Add(time.Duration(i)*time.Second), int64(10*i))
		require.EqualValues(t, 10*i, by)
		require.Equal(t, time.Duration(i)*time.Second, in)
	}
	by, _ := s.grown("a", now.Add(30*time.Second), 50)
	require.EqualValues(t, 10, by, "what is long ago does not count")
	by, _ = s.grown("a", now.Add(31*time.Second), 3)
	require.Zero(t, by, "a counter that begins again")
}
