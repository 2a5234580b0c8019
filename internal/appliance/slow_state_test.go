package appliance

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/internal/state"
)

// stalled is a store on a disk that takes nothing until it is let go.
type stalled struct {
	state.Store
	entered chan struct{}
	release chan struct{}
}

func (s stalled) wait() {
	s.entered <- struct{}{}
	<-s.release
}

func (s stalled) Create(ctx context.Context, kind, id string, value []byte) (state.Revision, error) {
	s.wait()
	return s.Store.Create(context.WithoutCancel(ctx), kind, id, value)
}

func (s stalled) Put(ctx context.Context, kind, id string, value []byte, at state.Revision) (state.Revision, error) {
	s.wait()
	return s.Store.Put(context.WithoutCancel(ctx), kind, id, value, at)
}

func (s stalled) Delete(ctx context.Context, kind, id string, at state.Revision) error {
	s.wait()
	return s.Store.Delete(context.WithoutCancel(ctx), kind, id, at)
}

// TestAWorkerStartsBesideASlowDisk: what a worker is told when it starts waits for
// nobody who changes the show, however long the disk of the node's data takes.
func TestAWorkerStartsBesideASlowDisk(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	c.must(201, "POST", "/v1/sources", `{"id":"old","kind":"test"}`)
	c.must(201, "POST", "/v1/channels", `{"id":"old","canvas":{"width":320,"height":180,"rate":"25"},"sources":["cam1"],"scenes":[{"id":"a","layout":"solo","slots":["cam1"]}],"program":"a","ladder":[{"id":"v","width":320,"height":180,"bitrate":100000}]}`)
	p, err := node.channels.find("demo")
	require.NoError(t, err)
	disk := stalled{Store: node.channels.store, entered: make(chan struct{}), release: make(chan struct{})}
	node.channels.store, node.sources.store, node.assets.store = disk, disk, disk
	for _, test := range []struct{ name, method, path, body string }{
		{"a source is made", "POST", "/v1/sources", `{"id":"new","kind":"test"}`},
		{"a source is changed", "PATCH", "/v1/sources/cam1", `{"name":"Other"}`},
		{"a source is deleted", "DELETE", "/v1/sources/old", ""},
		{"a channel is made", "POST", "/v1/channels", `{"id":"new","canvas":{"width":320,"height":180,"rate":"25"},"sources":["cam1"],"scenes":[{"id":"a","layout":"solo","slots":["cam1"]}],"program":"a","ladder":[{"id":"v","width":320,"height":180,"bitrate":100000}]}`},
		{"a channel is changed", "PATCH", "/v1/channels/demo", `{"name":"Other"}`},
		{"a channel is stopped", "POST", "/v1/channels/demo/stop", ""},
		{"a channel is deleted", "DELETE", "/v1/channels/old", ""},
		{"a source's sound is changed", "PATCH", "/v1/channels/demo/audio/cam1", `{"mute":true}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			over := make(chan answer, 1)
			go func() { over <- c.call(test.method, test.path, test.body, "If-Match", "*") }()
			select {
			case <-disk.entered:
			case a := <-over:
				require.FailNow(t, "not stored", "%d %s", a.status, a.body)
			}
			told := make(chan struct{})
			go func() {
				defer close(told)
				show := node.channels.show(p)
				for _, source := range show.Sources {
					node.channels.sources.feed(source.ID)
				}
				_, _ = node.channels.find("demo")
				_, _ = node.assets.find("none")
			}()
			select {
			case <-told:
			case <-time.After(20 * time.Second):
				t.Error("it waits for the disk")
			}
			for {
				select {
				case disk.release <- struct{}{}:
				case <-disk.entered: // it stores more than one document
				case a := <-over:
					require.Less(t, a.status, 300, a.body)
					<-told
					return
				}
			}
		})
	}
}
