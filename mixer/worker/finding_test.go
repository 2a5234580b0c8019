package worker

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// TestFindingsEndWithTheirWorker: what a worker found ends when it says so, or
// when it is gone, once.
func TestFindingsEndWithTheirWorker(t *testing.T) {
	rate := media.Rate{Num: 25, Den: 1}
	clock := media.NewClock(rate.At(1000), time.Now())
	var heard []Finding
	h := NewHost(Config{Clock: clock, Rate: rate, OnFinding: func(f Finding) { heard = append(heard, f) }, Log: slog.New(slog.DiscardHandler)})
	black, silent := Finding{Kind: FindingBlack, Begin: 900}, Finding{Kind: FindingSilent, Source: "cam1", Begin: 950}
	over := black
	over.End = 990
	h.found(black)
	h.found(silent)
	h.found(over)
	require.Equal(t, []Finding{black, silent, over}, heard)
	h.lose()
	require.Len(t, heard, 4)
	require.Equal(t, "cam1", heard[3].Source)
	require.GreaterOrEqual(t, heard[3].End, int64(1000))
	h.lose()
	require.Len(t, heard, 4)
}
