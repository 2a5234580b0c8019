package appliance

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"millrace/mixer/worker"
)

// Whoever looks at reports may be slow: putting them is not, and the newest is
// what he sees next.
func TestReportsWaitForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReporting()
		ctx, cancel := context.WithCancel(t.Context())
		slow := make(chan struct{})
		var seen []int64
		done := begin(ctx, func(ctx context.Context) {
			r.run(ctx, func(report worker.Report) {
				seen = append(seen, report.Frame)
				<-slow
			})
		})
		for n := range int64(10) {
			r.put(worker.Report{Frame: n})
			synctest.Wait()
		}
		close(slow)
		synctest.Wait()
		require.Equal(t, []int64{0, 9}, seen)
		cancel()
		done.stop()
	})
}
