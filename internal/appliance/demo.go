package appliance

import (
	"context"
	"errors"
	"fmt"

	"millrace/api"
	"millrace/internal/state"
)

// firstStart is what a node without state is given.
type firstStart struct {
	AdminKey string
	Cam1     api.SourceView // with its key
}

// nodeMark is stored once the first start is complete.
type nodeMark struct {
	Started bool `json:"started"`
}

// setUpFirstStart makes the admin key, the push source cam1 and, with demo, the
// demo channel. It returns nil on a node that has been started before. An
// interrupted first start goes on where it ended.
func (n *Node) setUpFirstStart(ctx context.Context, demo bool) (*firstStart, error) {
	_, err := n.state.Get(ctx, kindNode, "first-start")
	if err == nil {
		return nil, nil
	}
	if !errors.Is(err, state.ErrNotFound) {
		return nil, err
	}
	key, err := n.access.CreateKey(ctx, api.KeyRequest{Name: "admin (first start)", Scopes: []api.Scope{api.ScopeManage}})
	if err != nil {
		return nil, fmt.Errorf("make admin key: %w", err)
	}
	cam1, err := n.sources.CreateSource(ctx, api.Source{
		Id: "cam1", Name: "Camera 1", Kind: api.SourceKindPush, LatencyMs: defaultLatencyMs, Clock: api.SourceClockArrival, OnLoss: defaultOnLoss(),
	})
	if problem := (*api.Problem)(nil); errors.As(err, &problem) && problem.Code == "exists" {
		cam1, err = n.sources.withKey("cam1")
	}
	if err != nil {
		return nil, fmt.Errorf("make source cam1: %w", err)
	}
	if demo {
		if err := n.makeDemo(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := create(ctx, n.state, kindNode, "first-start", nodeMark{Started: true}); err != nil {
		return nil, err
	}
	return &firstStart{AdminKey: key.Value.Key, Cam1: cam1.Value}, nil
}

const defaultLatencyMs = 200

func defaultOnLoss() api.OnLoss {
	return api.OnLoss{HoldMs: defaultHoldMs, Then: api.OnLossThenSlate}
}

// The demo: four moving pictures in a grid, each with its tone of a chord.
const (
	demoWindowMs = 10 * 60 * 1000
	demoMaxBytes = 1 << 30
)

func (n *Node) makeDemo(ctx context.Context) error {
	tones := []int{262, 330, 392, 523} // C major, Hz
	document := api.Channel{
		Id: "demo", Name: "Demo",
		Canvas: api.Canvas{Width: 1280, Height: 720, Rate: "30"},
		Ladder: []api.Rung{
			{Id: "v720", Width: 1280, Height: 720, Bitrate: 2_800_000},
			{Id: "v480", Width: 854, Height: 480, Bitrate: 1_400_000},
			{Id: "v240", Width: 426, Height: 240, Bitrate: 400_000},
		},
		Dvr: api.DVR{WindowMs: demoWindowMs, MaxBytes: demoMaxBytes},
	}
	for i, tone := range tones {
		id := fmt.Sprintf("test%d", i+1)
		document.Sources = append(document.Sources, id)
		_, err := n.sources.CreateSource(ctx, api.Source{
			Id: id, Name: fmt.Sprintf("Test %d", i+1), Kind: api.SourceKindTest, LatencyMs: defaultLatencyMs, Clock: api.SourceClockArrival, OnLoss: defaultOnLoss(),
			Test: api.TestSettings{Pattern: i, ToneHz: tone},
		})
		if problem := (*api.Problem)(nil); err != nil && !(errors.As(err, &problem) && problem.Code == "exists") {
			return fmt.Errorf("make demo source %q: %w", id, err)
		}
	}
	document.Sources = append(document.Sources, "cam1")
	document.Scenes = []api.Scene{
		{ID: "grid", Name: "All four", Layout: "grid-4", Slots: document.Sources[:4]},
		{ID: "two-up", Name: "Two", Layout: "two-up", Slots: document.Sources[:2]},
		{ID: "mixed", Name: "Camera 1 and three", Layout: "grid-4", Slots: append([]string{"cam1"}, document.Sources[1:4]...)},
		{ID: "cam1", Name: "Camera 1 alone", Layout: "solo", Slots: []string{"cam1"}},
	}
	document.Program, document.Preview = "grid", "mixed"
	_, err := n.channels.CreateChannel(ctx, document)
	if problem := (*api.Problem)(nil); errors.As(err, &problem) && problem.Code == "exists" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make demo channel: %w", err)
	}
	return nil
}
