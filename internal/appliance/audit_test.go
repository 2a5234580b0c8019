package appliance

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestAudit(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c := newClient(t, node, api.ScopeManage)
	c.must(201, "POST", "/v1/users", `{"id":"anna","role":"operator","password":"correct horse"}`)
	cookie := signIn(t, node, 200, "anna", "correct horse")
	client{t, node, ""}.must(204, "POST", "/v1/sources/cam1/kick", "", "Cookie", cookie, "Origin", ownPage)
	c.must(404, "POST", "/v1/sources/nobody/kick", "") // changes nothing
	c.must(200, "GET", "/v1/sources", "")
	c.must(200, "POST", "/v1/sources/cam1/reveal-key", "")
	check := func(c client) {
		var seen []string
		path := "/v1/audit?limit=3"
		for path != "" {
			page := c.must(200, "GET", path, "")
			require.NotContains(t, page.body, "correct horse")
			for _, item := range page.field(t, "items").([]any) {
				e := item.(map[string]any)
				who := e["who"].(map[string]any)
				require.Equal(t, "192.0.2.1", e["from"])
				seen = append(seen, fmt.Sprint(who["kind"], " ", e["action"], " ", e["subject"]))
			}
			path = ""
			if next, ok := page.field(t, "nextCursor").(string); ok {
				path = "/v1/audit?limit=3&cursor=" + next
			}
		}
		require.Equal(t, []string{"key revealSourceKey cam1", "user kickSource cam1", "user createSession <nil>", "key createUser <nil>"}, seen)
	}
	check(c)
	require.Contains(t, c.must(200, "GET", "/v1/audit?who=anna&action=kickSource", "").body, `"subject":"cam1"`)
	newClient(t, node, api.ScopeOperate).must(403, "GET", "/v1/audit", "")
	require.NoError(t, node.auditLog.write(t.Context()))
	require.NoError(t, node.Close())
	check(client{t, openNode(t, dir), c.key})
}

func TestTheAuditIsBounded(t *testing.T) {
	node := openNode(t, t.TempDir())
	a := node.auditLog
	for range auditEntries/auditBatch + 4 {
		for range auditBatch {
			a.Record(api.AuditEntry{Action: "cut"})
		}
		require.NoError(t, a.write(t.Context()))
	}
	require.Len(t, a.entries, auditEntries)
	require.Len(t, a.batches, auditEntries/auditBatch)
	require.Equal(t, auditEntries, a.written)
	require.Equal(t, a.batches[0].id, a.entries[0].Id)
}
