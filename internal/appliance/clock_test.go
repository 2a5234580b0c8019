package appliance

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	loops "millrace/benchmarks/footage"
	"millrace/internal/media"
	"millrace/record"
)

// F30: a node that starts with its clock an hour behind what is stored goes on where
// that ends, and says so; one whose clock is right starts at its time.
func TestTheTimelineGoesOnBehindAClockThatWasSetBack(t *testing.T) {
	loop, err := loops.New(loops.Config{Rate: "30", Rungs: []loops.Rung{{ID: "v180", Width: 320, Height: 180, Bitrate: 100_000}}, AudioBitrate: 64_000})
	require.NoError(t, err)
	for _, test := range []struct {
		name  string
		ahead time.Duration // of the stored media
	}{{"an hour ahead", time.Hour}, {"an hour ago", -time.Hour}} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, openNode(t, dir).Close()) // with the demo channel
			first := loop.Grid.SegmentAt(media.TimeOf(time.Now().Add(test.ahead)))
			fillStore(t, loop, filepath.Join(dir, "dvr", "demo"), first, first+3)
			before := media.TimeOf(time.Now())
			node := openNode(t, dir)
			now := node.clock.Now()
			took := media.TimeOf(time.Now()).Sub(before)
			if test.ahead < 0 {
				require.InDelta(t, float64(before), float64(now), float64(took+time.Second))
				require.Contains(t, node.clockHint(), "never steps")
				return
			}
			end := loop.Grid.SegmentTime(first + 3)
			require.GreaterOrEqual(t, now, end)
			require.Less(t, now.Sub(end), took+time.Second)
			require.Contains(t, node.clockHint(), "lay behind")
			p, err := node.channels.find("demo")
			require.NoError(t, err)
			store, err := node.channels.openStore(p)
			require.NoError(t, err)
			next := store.NextSegment(node.clock.Now(), loop.Grid)
			require.GreaterOrEqual(t, next, first+3, "no name is used again")
			require.Less(t, loop.Grid.SegmentTime(next).Sub(node.clock.Now()), 5*time.Second, "and nobody waits for an hour")
			require.NoError(t, node.channels.closeStore(p))
		})
	}
}

func fillStore(t *testing.T, loop *loops.Loop, dir string, from, to int64) {
	store, err := record.Open(record.Config{Dirs: []string{dir}})
	require.NoError(t, err)
	require.NoError(t, store.SetLayout(loop.Layout()))
	run, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(run) }()
	require.NoError(t, loop.Fill(t.Context(), store, from, to))
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, store.Close())
}
