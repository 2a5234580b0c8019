package contest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

// CPU runs a program to its end and gives the user and system time of it and of
// the processes that it waited for.
func CPU(ctx context.Context, name string, arguments ...string) (time.Duration, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return 0, fmt.Errorf("run %s: %w: %.400s", name, err, output.Bytes())
	}
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), nil
}

// PerFrame is a program's CPU time for one more frame, in milliseconds: that of
// a long run less that of a short one, so that start and end do not count.
func PerFrame(short, long int, run func(frames int) (time.Duration, error)) (float64, error) {
	less, err := run(short)
	if err != nil {
		return 0, err
	}
	more, err := run(long)
	if err != nil {
		return 0, err
	}
	return float64(more-less) / float64(time.Millisecond) / float64(long-short), nil
}
