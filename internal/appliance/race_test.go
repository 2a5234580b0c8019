package appliance

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/internal/state"
)

func TestADeletedChannelStaysAway(t *testing.T) {
	node := openNode(t, t.TempDir())
	ended, end := context.WithCancel(t.Context())
	end() // so that what begins ends at once
	c := newClient(t, node, api.ScopeManage)
	for range 10 {
		c.must(201, "POST", "/v1/channels", smallChannel)
		node.channels.mu.Lock()
		node.channels.ctx = ended
		node.channels.mu.Unlock()
		p, err := node.channels.find("main")
		require.NoError(t, err)
		var calls sync.WaitGroup
		p.live.Lock()
		calls.Go(func() { c.must(204, "DELETE", "/v1/channels/main", "", "If-Match", "*") })
		for range 3 {
			calls.Go(func() { c.call("POST", "/v1/channels/main/start", "") })
			calls.Go(func() { c.call("PATCH", "/v1/channels/main/audio/cam1", `{"mute":true}`) })
		}
		p.live.Unlock()
		calls.Wait()
		require.Nil(t, p.running, "it runs and nobody can stop it")
		_, err = node.state.Get(t.Context(), kindAir, "main")
		require.ErrorIs(t, err, state.ErrNotFound)
	}
}

func TestASourceIsDeletedOrUsed(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`)
	made := make(chan int, 1)
	usedBy := node.sources.usedBy
	node.sources.usedBy = func(id string) string {
		defer func() { // nobody uses it, and somebody begins to
			go func() {
				made <- c.call("POST", "/v1/channels", strings.ReplaceAll(smallChannel, "cam1", "cam2")).status
			}()
			select {
			case status := <-made:
				made <- status
			case <-time.After(200 * time.Millisecond):
			}
		}()
		return usedBy(id)
	}
	c.must(204, "DELETE", "/v1/sources/cam2", "", "If-Match", "*")
	require.Equal(t, 422, <-made)
}

func TestWhatIsOnAirIsInTheDocument(t *testing.T) {
	document := api.Channel{
		Program: "a", Scenes: []api.Scene{{ID: "a"}, {ID: "b"}}, Overlays: []api.Overlay{{ID: "name"}},
	}
	tests := []struct{ onAir, want air }{
		{air{Program: "b", Preview: "a", Black: true, Overlays: []string{"name"}}, air{Program: "b", Preview: "a", Black: true, Overlays: []string{"name"}}},
		{air{Program: "gone", Preview: "gone", Overlays: []string{"gone"}}, air{Program: "a"}},
		{air{}, air{Program: "a"}},
	}
	for _, test := range tests {
		require.Equal(t, test.want, test.onAir.within(document))
	}
}
