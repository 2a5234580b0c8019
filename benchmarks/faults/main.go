// Command faults runs the long fault injections of the store and says how each
// ended: what the tests do a few times, done as often as the fault matrix asks.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// injection is one row of the fault matrix.
type injection struct {
	fault, what   string
	folder, tests string
	env           []string
}

var matrix = []injection{
	{"F24", "disk full, with and without recordings", "./record", "^(TestFullDiskTrimsTheOldest|TestNothingPinnedGoesForSpace)$", nil},
	{"F25", "disk slow, and stalled for 30 s", "./record", "^(TestSlowDisk|TestQueueOfASlowDiskIsBounded)$", nil},
	{"F26", "errors of input, output and sync", "./record", "^(TestFailingDisk|TestOneFaultMovesToANewBlock)$", nil},
	{"F27", "100 SIGKILLs at random moments", "./record", "^TestKill$", []string{"MILLRACE_TEST_KILLS=100"}},
	{"F28", "torn tails at every byte, holes, unsynced writes dropped", "./record", "^(TestTornTailAtEveryByte|TestHolesInTheTail|TestCrashAtRandomMoments|TestPartsAreListedWhenDurable)$", nil},
	{"F29", "flipped bits", "./record", "^(TestBitRotCostsOneSegment|TestDamageFoundWhileReadingBecomesAGap|TestCheck)$", nil},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := false
	for _, i := range matrix {
		begun := time.Now()
		out, err := i.run(ctx)
		result := "ok"
		if err != nil {
			failed, result = true, "FAILED"
			fmt.Printf("%s\n", out)
		}
		fmt.Printf("%-6s %-4s %6.1f s  %s\n", result, i.fault, time.Since(begun).Seconds(), i.what)
	}
	if failed || ctx.Err() != nil {
		os.Exit(1)
	}
}

func (i injection) run(ctx context.Context) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=30m", "-run", i.tests, i.folder)
	command.Env = append(os.Environ(), i.env...)
	return command.CombinedOutput()
}
