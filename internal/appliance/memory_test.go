package appliance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestIdempotencyKeysOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c := newClient(t, node, api.ScopeManage)
	made := c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`, "Idempotency-Key", "k1")
	documents, err := node.state.List(t.Context(), kindAnswer)
	require.NoError(t, err)
	require.Len(t, documents, 1)
	require.NotContains(t, string(documents[0].Value), made.field(t, "key"))
	require.NoError(t, node.Close())

	again := client{t, openNode(t, dir), c.key}
	second := again.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`, "Idempotency-Key", "k1")
	require.Equal(t, made.body, second.body)
	require.Equal(t, made.header.Get("ETag"), second.header.Get("ETag"))
	again.must(422, "POST", "/v1/sources", `{"id":"cam3","kind":"push"}`, "Idempotency-Key", "k1")
	other := newClient(t, again.node, api.ScopeManage)
	other.must(201, "POST", "/v1/sources", `{"id":"cam3","kind":"push"}`, "Idempotency-Key", "k1") // another's key
}

func TestAnswersAreBounded(t *testing.T) {
	node := openNode(t, t.TempDir())
	m := node.memory
	for i := range answerMost + 5 {
		m.answers[fmt.Sprint(i)] = api.Stored[storedAnswer]{Value: storedAnswer{At: api.Timestamp{Time: time.Now().Add(time.Duration(i) * time.Millisecond)}}}
	}
	require.NoError(t, m.Remember(t.Context(), "new", []byte("x")))
	require.LessOrEqual(t, len(m.answers), answerMost)
	require.NotContains(t, m.answers, "0")
	require.Error(t, m.Remember(t.Context(), "large", make([]byte, answerSize+1)))
}
