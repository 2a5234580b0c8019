package appliance

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/events"
	"millrace/mixer/worker"
)

// A channel that goes on elsewhere tells so, and keeps saying why until it is back where
// it began; a worker that is like the one before is nothing to tell.
func TestFallbackIsTold(t *testing.T) {
	bus := events.NewBus(time.Now, slog.New(slog.DiscardHandler))
	told, _, _, err := bus.Subscribe(events.Filter{"encoder.fallback"}, "")
	require.NoError(t, err)
	defer told.Close()
	c := &channel{channelConfig: channelConfig{ID: "main", Bus: bus}}
	card := worker.EncoderInfo{Device: "cuda:0", Codec: "h264_nvenc"}
	bare := worker.EncoderInfo{Device: "cpu", Codec: "libx264", Reason: "cuda:0: it failed", Withdrawn: map[string]string{"h720": "HEVC takes a card"}}
	whole := bare
	whole.Withdrawn = nil
	for _, step := range []struct {
		name  string
		next  worker.EncoderInfo
		event string // its data; empty for none
		since string // what the alarm says
	}{
		{"the first worker", card, "", ""},
		{"another like it", card, "", ""},
		{"the card is lost", bare, `{"channel":"main","device":"cpu","codec":"libx264","reason":"cuda:0: it failed","withdrawn":{"h720":"HEVC takes a card"}}`,
			"The channel encodes with libx264 on cpu: cuda:0: it failed"},
		{"its worker is replaced", bare, "", "The channel encodes with libx264 on cpu: cuda:0: it failed"},
		{"a rung comes back", whole, `{"channel":"main","device":"cpu","codec":"libx264","reason":"cuda:0: it failed"}`,
			"The channel encodes with libx264 on cpu: cuda:0: it failed"},
		{"the card is back", card, `{"channel":"main","device":"cuda:0","codec":"h264_nvenc"}`, ""},
	} {
		ready := &worker.Ready{Encoder: step.next}
		c.tellEncoder(c.worker.Swap(ready), ready)
		if why := c.fallback.Load(); step.since == "" {
			require.Nil(t, why, step.name)
		} else {
			require.NotNil(t, why, step.name)
			require.Equal(t, step.since, *why, step.name)
		}
		for _, rung := range []string{"h720", "v720"} {
			require.Equal(t, step.next.Withdrawn[rung], c.withdrawn(rung), step.name)
		}
		if step.event == "" {
			require.Empty(t, told.Events(), step.name)
			continue
		}
		require.Len(t, told.Events(), 1, step.name)
		var event struct{ Data json.RawMessage }
		require.NoError(t, json.Unmarshal((<-told.Events()).Text, &event))
		require.JSONEq(t, step.event, string(event.Data), step.name)
	}
}
