package e2e

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// rate of the channel that the tests mix.
var rate = media.Rate{Num: 25, Den: 1}

// segmentFrames and partFrames follow from the rate (contract §2).
const (
	partFrames    = 5
	segmentFrames = 16 * partFrames
)

// rung is one step of a ladder.
type rung struct {
	ID      string `json:"id"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Bitrate int    `json:"bitrate"`
}

var (
	v360 = rung{"v360", 640, 360, 1_000_000}
	v180 = rung{"v180", 320, 180, 300_000}
)

// makeChannel makes the channel "main" and waits until it is on air: the scene
// "grid" with the first four sources, and one named after each source that
// shows it alone.
func (a *appliance) makeChannel(sources []string, ladder ...rung) {
	a.t.Helper()
	scenes := []any{map[string]any{"id": "grid", "layout": "grid-4", "slots": sources[:min(4, len(sources))]}}
	for _, id := range sources {
		scenes = append(scenes, map[string]any{"id": id, "layout": "solo", "slots": []string{id}})
	}
	a.call(201, "POST", "/v1/channels", map[string]any{
		"id": "main", "canvas": map[string]any{"width": ladder[0].Width, "height": ladder[0].Height, "rate": rate.String()},
		"sources": sources, "scenes": scenes, "program": "grid", "ladder": ladder,
	})
	a.eventually(30*time.Second, "the channel runs", func() bool { return a.state().State == "running" })
}

// channelState is what the tests look at in the answer of /state.
type channelState struct {
	State   string
	Program string
	Preview string
	Frame   int64
	Filler  int64
	Ticks   struct{ Late, Repeated int64 }
	Workers struct {
		Pid      int
		Restarts int64
	}
	Sources map[string]struct {
		State, Tally, Showing string
		Dropped               int64
	}
}

func (a *appliance) state() channelState {
	a.t.Helper()
	text, err := json.Marshal(a.call(200, "GET", "/v1/channels/main/state", nil))
	require.NoError(a.t, err)
	var s channelState
	require.NoError(a.t, json.Unmarshal(text, &s))
	return s
}

// shows waits until the mixer shows a source in the given way: "live", "held"
// or "slate".
func (a *appliance) shows(limit time.Duration, how string, sources ...string) {
	a.t.Helper()
	for _, id := range sources {
		a.eventually(limit, id+" is shown "+how, func() bool {
			shown := a.state().Sources[id]
			return shown.Showing == how && (how != "live" || shown.State == "live")
		})
	}
}

// taken is the answer to a live action.
type taken struct {
	Program, Preview string
	Frame            int64
	Time             time.Time
}

// take sends a live action: "cut" or "preview".
func (a *appliance) take(action string, body map[string]any) taken {
	a.t.Helper()
	text, err := json.Marshal(a.call(200, "POST", "/v1/channels/main/"+action, body))
	require.NoError(a.t, err)
	var answer taken
	require.NoError(a.t, json.Unmarshal(text, &answer))
	require.True(a.t, answer.Time.Equal(rate.At(answer.Frame).UTC().Truncate(time.Millisecond)),
		"frame %d is at %v, not %v", answer.Frame, rate.At(answer.Frame).UTC(), answer.Time)
	return answer
}
