package child

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How the Supervisor paces restarts: the first is immediate, then the pause
// doubles from firstPause to lastPause; a child that ran for steady starts the
// count again.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 10 * time.Second
	steady     = 2 * time.Second
)

// memoryInterval is how often resident memory is compared with its limit.
const memoryInterval = time.Second

// Supervisor keeps one child running. Its fields are set before Run and not
// changed after.
type Supervisor struct {
	Command Command
	// Serve talks to one child until the session is over: the connection
	// ended (the child is gone) or broke its protocol. The child is killed
	// when Serve returns. When ctx ends, Serve asks the child to quit and goes
	// on until the connection ends; the Supervisor sees to it that it does.
	Serve func(ctx context.Context, process *Process, conn *Conn) error
	// Grace is how long a child may take to quit before it is killed.
	Grace time.Duration
	// MemoryLimit ends a child whose resident memory is above it, in bytes; 0
	// is none.
	MemoryLimit int64
	Log         *slog.Logger

	restarts atomic.Int64
}

// Restarts is how many times a child was started again.
func (s *Supervisor) Restarts() int64 { return s.restarts.Load() }

// Run starts the child and starts it again whenever it ends, until ctx ends.
// No child is left when it returns.
func (s *Supervisor) Run(ctx context.Context) error {
	var pause time.Duration
	for {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) >= steady {
			pause = 0
		}
		s.Log.Warn("child process ended", "err", err, "after", time.Since(began).Round(time.Millisecond), "restartIn", pause)
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(max(2*pause, firstPause), lastPause)
		s.restarts.Add(1)
	}
}

func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// once is one life of the child; the error says how it ended.
func (s *Supervisor) once(ctx context.Context) error {
	process, conn, err := Start(s.Command)
	if err != nil {
		return err
	}
	served := make(chan struct{})
	var overLimit error
	var watching sync.WaitGroup
	watching.Go(func() { overLimit = s.watch(ctx, process, served) })

	serveErr := s.Serve(ctx, process, conn)
	if ctx.Err() == nil || serveErr != nil {
		process.Kill()
	}
	close(served)
	watching.Wait()
	waitErr := process.Stop(s.Grace)
	_ = conn.Close() // nobody is left at the other end
	return errors.Join(overLimit, serveErr, waitErr)
}

// watch kills the process when it uses too much memory or, once ctx ended,
// does not quit. It returns when the process ended or Serve is done with it.
func (s *Supervisor) watch(ctx context.Context, process *Process, served <-chan struct{}) error {
	ticker := time.NewTicker(memoryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-served:
			return nil
		case <-process.Exited():
			return nil
		case <-ctx.Done():
			_ = process.Stop(s.Grace) // once reports it
			return nil
		case <-ticker.C:
			if err := s.checkMemory(process); err != nil {
				process.Kill()
				return err
			}
		}
	}
}

func (s *Supervisor) checkMemory(process *Process) error {
	if s.MemoryLimit == 0 {
		return nil
	}
	used, err := process.RSS()
	if err != nil {
		return nil // it has just ended
	}
	if used > s.MemoryLimit {
		return fmt.Errorf("child process uses %d bytes of memory, limit %d", used, s.MemoryLimit)
	}
	return nil
}
