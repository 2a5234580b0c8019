package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTwoOperatorsAtOnce has one operator cut to a scene while another one deletes
// it: whoever comes first, the channel has what is on its program, and a new
// worker can begin with it.
func TestTwoOperatorsAtOnce(t *testing.T) {
	t.Parallel()
	a := startAppliance(t)
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "bars", "kind": "test"})
	a.makeChannel([]string{"bars"}, v180)
	for n := range 8 {
		a.call(201, "POST", "/v1/channels/main/scenes", map[string]any{"id": "late", "layout": "solo", "slots": []string{"bars"}})
		var operators sync.WaitGroup
		operators.Go(func() { a.try("POST", "/v1/channels/main/cut", `{"scene":"late"}`) })
		operators.Go(func() {
			time.Sleep(time.Duration(n) * 8 * time.Millisecond) // a different moment each time
			a.try("DELETE", "/v1/channels/main/scenes/late", "")
		})
		operators.Wait()
		program := a.state().Program
		document := a.call(200, "GET", "/v1/channels/main", nil)
		var scenes []any
		for _, s := range document["scenes"].([]any) {
			scenes = append(scenes, s.(map[string]any)["id"])
		}
		require.Contains(t, scenes, program)
		a.call(200, "POST", "/v1/channels/main/cut", map[string]any{"scene": "grid"})
		a.try("DELETE", "/v1/channels/main/scenes/late", "")
	}
	old := a.state().Workers.Pid
	a.sigkill(old)
	a.eventually(20*time.Second, "a new worker is on air", func() bool {
		s := a.state()
		return s.State == "running" && s.Workers.Pid != old
	})
}

// try sends a request that may be refused.
func (a *appliance) try(method, path, body string) {
	r, err := http.NewRequest(method, "http://"+a.control+path, bytes.NewReader([]byte(body)))
	if err != nil {
		a.t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", "*")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Error(err)
		return
	}
	defer answer.Body.Close()
	var refused struct{ Code string }
	if answer.StatusCode >= 500 {
		_ = json.NewDecoder(answer.Body).Decode(&refused)
		a.t.Errorf("%s %s: %d %s", method, path, answer.StatusCode, refused.Code)
	}
}
