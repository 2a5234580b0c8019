package reencode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"millrace/internal/child"
)

// grace is how long the process may take to end after its last result.
const grace = time.Second

// Run starts the process, gives it the tasks and waits for their results, in the
// order of the tasks. It blocks until the process has ended; a cancelled context
// kills it.
func Run(ctx context.Context, command child.Command, tasks []Task) (results [][][]byte, err error) {
	err = with(ctx, command, func(conn *child.Conn) (err error) {
		results, err = Converse(conn, tasks)
		return err
	})
	return results, err
}

// with starts the process, talks to it and waits for its end.
func with(ctx context.Context, command child.Command, talk func(*child.Conn) error) error {
	process, conn, err := child.Start(command)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, process.Kill)
	err = talk(conn)
	_ = conn.Close() // it ends with its socket
	if err != nil {
		process.Kill()
	}
	ended := process.Stop(grace)
	stop()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("re-encode: %w", errors.Join(err, ended))
	}
	return nil
}

// Converse gives the tasks to the process at the other end of the socket and
// collects its results. It blocks until the last one, or until the socket closes.
func Converse(conn *child.Conn, tasks []Task) ([][][]byte, error) {
	var sending sync.WaitGroup
	var sent error
	sending.Go(func() { // beside the receiving, so that neither end waits for the other with a full socket
		for i := range tasks {
			task := tasks[i]
			task.ID = i
			if sent = SendTask(conn, &task); sent != nil {
				return
			}
		}
	})
	results := make([][][]byte, len(tasks))
	err := collect(conn, tasks, results)
	if err != nil {
		_ = conn.Close() // ends a Send that blocks
	}
	sending.Wait()
	return results, errors.Join(err, sent)
}

func collect(conn *child.Conn, tasks []Task, results [][][]byte) error {
	for range tasks {
		result, err := ReceiveResult(conn)
		if err != nil {
			return err
		}
		if result.ID < 0 || result.ID >= len(tasks) || results[result.ID] != nil {
			return fmt.Errorf("%w: result %d of %d tasks", ErrProtocol, result.ID, len(tasks))
		}
		if result.Error != "" {
			return fmt.Errorf("rendition %q: %s", tasks[result.ID].Track.ID, result.Error)
		}
		if want := tasks[result.ID].To - tasks[result.ID].From; len(result.Units) != want {
			return fmt.Errorf("%w: %d units for %d", ErrProtocol, len(result.Units), want)
		}
		results[result.ID] = result.Units
	}
	return nil
}
