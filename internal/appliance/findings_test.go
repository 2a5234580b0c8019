package appliance

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/internal/events"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

func TestFindingsOnTheTimeline(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	p, err := node.channels.find("demo")
	require.NoError(t, err)
	grid, _ := node.channels.gridOf("demo")
	begin := grid.Rate.Index(node.clock.Now().Add(-time.Minute))
	black := worker.Finding{Kind: worker.FindingBlack, Begin: begin}
	silent := worker.Finding{Kind: worker.FindingSilent, Source: "cam1", Begin: begin + 30}
	told, _, _, err := node.bus.Subscribe(events.Filter{"channel.finding"}, "")
	require.NoError(t, err)
	defer told.Close()
	for _, f := range []worker.Finding{black, silent} {
		node.channels.found(t.Context(), p, f)
	}
	black.End = begin + 90
	node.channels.found(t.Context(), p, black)
	for _, want := range []string{`"type":"black"`, `"source":"cam1"`, `"endFrame":`} {
		require.Contains(t, string((<-told.Events()).Text), want)
	}
	listed := func(from time.Duration) []any {
		return c.must(200, "GET", "/v1/channels/demo/timeline?from="+node.clock.Now().Add(from).UTC().Format("2006-01-02T15:04:05.000Z"), "").field(t, "events").([]any)
	}
	list := listed(-2 * time.Minute)
	require.Len(t, list, 2)
	require.Equal(t, map[string]any{
		"type": "black", "frame": float64(begin), "time": list[0].(map[string]any)["time"], "endFrame": float64(begin + 90), "end": list[0].(map[string]any)["end"],
	}, list[0])
	require.Equal(t, "cam1", list[1].(map[string]any)["source"])
	require.NotContains(t, list[1], "end")
	require.Len(t, listed(-10*time.Second), 1, "what lasts reaches into later times")
	require.Contains(t, string(c.must(200, "GET", "/v1/channels/demo/timeline.edl", "").body), "black, program, 3.")

	node.channels.settleBefore("demo", media.Time(0))
	list = listed(-2 * time.Minute)
	require.Equal(t, float64(begin+31), list[1].(map[string]any)["endFrame"], "an earlier run's end")
}

func TestFindingsWaitForASlowDisk(t *testing.T) {
	f := newFindings(slog.New(slog.DiscardHandler))
	for n := range int64(findingsWaiting + 10) { // nobody takes them
		f.put(worker.Finding{Kind: worker.FindingBlack, Begin: n})
	}
	require.Len(t, f.last(), 1)
	require.Equal(t, int64(findingsWaiting+9), f.last()[0].Begin)
	f.put(worker.Finding{Kind: worker.FindingBlack, Begin: findingsWaiting + 9, End: 9999})
	require.Empty(t, f.last())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	taken := 0
	f.run(ctx, func(worker.Finding) { taken++ })
	require.Equal(t, findingsWaiting, taken, "those that wait are taken after the end")
}

func TestFindingsAreAlarmsWhenAsked(t *testing.T) {
	rate := media.Rate{Num: 25, Den: 1}
	run := &channel{findings: newFindings(slog.New(slog.DiscardHandler))}
	run.Grid.Rate = rate
	for _, f := range []worker.Finding{
		{Kind: worker.FindingBlack, Begin: 100}, {Kind: worker.FindingSilent, Source: "cam1", Begin: 100}, {Kind: worker.FindingFrozen, Source: "cam2", Begin: 100},
	} {
		run.findings.put(f)
	}
	on := func(source string) bool { return source == "cam1" }
	all := api.AlarmThresholds{BlackMs: 2000, FrozenMs: 2000, SilentMs: 3000}
	for _, test := range []struct {
		name   string
		limits api.AlarmThresholds
		black  bool
		frames int64 // since the beginning
		want   []string
	}{
		{"not asked", api.AlarmThresholds{}, false, 1000, nil},
		{"not for long enough", all, false, 49, nil},
		{"black for long enough", all, false, 50, []string{"program.black "}},
		{"both", all, false, 75, []string{"program.black ", "source.silent cam1"}},
		{"faded to black on purpose", all, true, 75, []string{"source.silent cam1"}},
	} {
		var codes []string
		for _, trouble := range findingTroubles(run, test.limits, test.black, on, rate.At(100+test.frames)) {
			codes = append(codes, trouble.code+" "+trouble.source)
		}
		require.Equal(t, test.want, codes, test.name)
	}
}
