// Command faults runs the long fault injections of the store and says how each
// ended: what the tests do a few times, done as often as the fault matrix asks.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
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
	{"F24", "disk full, with and without recordings; one of two volumes full", "./record", "^(TestFullDiskTrimsTheOldest|TestNothingPinnedGoesForSpace|TestFullVolumeGivesWayToAnother)$", nil},
	{"F24", "every directory of a node full, on file systems of their own (as root)", "./e2e", "^TestFullDisks$", nil},
	{"F25", "disk slow, and stalled for 30 s", "./record", "^(TestSlowDisk|TestDiskThatStalls|TestQueueOfASlowDiskIsBounded)$", nil},
	{"F26", "errors of input, output and sync; volumes that fail, go away and come back", "./record", "^(TestFailingDisk|TestOneFaultMovesToANewBlock|TestFailingVolumeGivesWayToAnother|Test.*VolumeGoneAndBack|TestVolumeAwayAtTheStart.*|TestFolderGoneAndMountedAgain|TestUnreadableSegmentIsNoVolumeAway)$", nil},
	{"F27", "100 SIGKILLs at random moments", "./record", "^TestKill$", []string{"MILLRACE_TEST_KILLS=100"}},
	{"F27", "100 runs cut off at every step, by SIGKILL and with unsynced writes dropped, and their recoveries too", "./record", "^TestCrashAtEveryStep$", []string{"MILLRACE_TEST_CRASHES=50"}},
	{"F28", "torn tails at every byte, holes, unsynced writes dropped", "./record", "^(TestTornTailAtEveryByte|TestHolesInTheTail|TestCrashAtRandomMoments|TestPartsAreListedWhenDurable)$", nil},
	{"F29", "flipped bits", "./record", "^(TestBitRotCostsOneSegment|TestDamageFoundWhileReadingBecomesAGap|TestCheck.*)$", nil},
	{"F30", "clock steps, leaps and years", "./record", "^TestClock", nil},
	{"F30", "a node that starts with its clock set back", "./internal/appliance", "^TestTheTimelineGoesOn", nil},
	{"F36", "slow readers of old segments", "./output/origin", "^TestSlowReaders", nil},
	{"-", "players seek 100 times in 2 h of start-over and VOD, a gap, a clip", "./e2e", "^TestPlayersSeekInWhatIsStored$", []string{"MILLRACE_TEST_HISTORY=2h", "MILLRACE_TEST_SEEKS=100"}},
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
		if err == nil {
			fmt.Print(figures(out))
		}
		fmt.Printf("%-6s %-4s %6.1f s  %s\n", result, i.fault, time.Since(begun).Seconds(), i.what)
	}
	if failed || ctx.Err() != nil {
		os.Exit(1)
	}
}

func (i injection) run(ctx context.Context) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-timeout=90m", "-run", i.tests, i.folder)
	command.Env = append(os.Environ(), i.env...)
	return command.CombinedOutput()
}

// figures are what the tests say they have counted.
func figures(out []byte) (text string) {
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go:") {
			text += "       " + strings.TrimSpace(line) + "\n"
		}
	}
	return text
}
