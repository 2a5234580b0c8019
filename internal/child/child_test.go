package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The test binary is its own child: the first argument names a part to play.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if part, ok := parts[os.Args[1]]; ok {
			part()
			return
		}
	}
	goleak.VerifyTestMain(m)
}

var parts = map[string]func(){
	"child-echo": func() {
		conn := inherited()
		for {
			kind, payload, err := conn.Receive()
			if err != nil {
				return
			}
			if conn.Send(kind+1, payload) != nil {
				return
			}
		}
	},
	"child-env": func() {
		if err := inherited().Send(1, []byte(strings.Join(os.Environ(), " "))); err != nil {
			panic(err)
		}
	},
	"child-exit": func() { os.Exit(3) },
	"child-stuck": func() {
		signal.Ignore(syscall.SIGTERM)
		conn := inherited()
		if err := conn.Send(1); err != nil {
			panic(err)
		}
		hang()
	},
	"child-chatter": func() {
		for i := range 3 {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		fmt.Fprint(os.Stdout, "end")
	},
	"child-greedy": func() {
		hog := make([]byte, 64<<20)
		for i := range hog {
			hog[i] = 1
		}
		_, _, _ = inherited().Receive()
		fmt.Fprint(io.Discard, hog[7])
	},
	// A parent that starts a stuck child, tells its pid and waits.
	"child-parent": func() {
		process, conn, err := Start(Command{Args: []string{"child-stuck"}})
		if err != nil {
			panic(err)
		}
		if _, _, err := conn.Receive(); err != nil {
			panic(err)
		}
		fmt.Println(process.Pid())
		hang()
	},
}

// hang blocks without being a deadlock, which the runtime would end.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

func inherited() *Conn {
	conn, err := Inherited()
	if err != nil {
		panic(err)
	}
	return conn
}

func start(t *testing.T, command Command) (*Process, *Conn) {
	t.Helper()
	process, conn, err := Start(command)
	require.NoError(t, err)
	t.Cleanup(func() {
		process.Kill()
		_ = process.Wait()
		require.NoError(t, conn.Close())
	})
	return process, conn
}

func TestFramesGoBothWays(t *testing.T) {
	process, conn := start(t, Command{Args: []string{"child-echo"}})
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * 7)
	}
	for _, parts := range [][][]byte{{}, {[]byte("ab"), nil, []byte("c")}, {big}} {
		sent := make(chan error)
		go func() { sent <- conn.Send(8, parts...) }()
		kind, payload, err := conn.Receive()
		require.NoError(t, err)
		require.NoError(t, <-sent)
		require.Equal(t, byte(9), kind)
		var want []byte
		for _, part := range parts {
			want = append(want, part...)
		}
		require.Equal(t, len(want), len(payload))
		require.True(t, string(want) == string(payload))
	}
	rss, err := process.RSS()
	require.NoError(t, err)
	require.Greater(t, rss, int64(1<<20))

	// A closed connection is how a child learns that it is done.
	require.NoError(t, conn.Close())
	require.NoError(t, conn.Close(), "twice")
	require.NoError(t, process.Wait())
	_, err = process.RSS()
	require.ErrorIs(t, err, errEnded)
}

func TestConcurrentSendsKeepFramesWhole(t *testing.T) {
	near, far, err := Pair()
	require.NoError(t, err)
	var sending sync.WaitGroup
	for writer := range 4 {
		sending.Go(func() {
			for range 200 {
				payload := make([]byte, 5000)
				for i := range payload {
					payload[i] = byte(writer)
				}
				if near.Send(byte(writer), payload[:2500], payload[2500:]) != nil {
					return
				}
			}
		})
	}
	for range 800 {
		kind, payload, err := far.Receive()
		require.NoError(t, err)
		require.Len(t, payload, 5000)
		require.Equal(t, 5000, bytes.Count(payload, []byte{kind}))
	}
	sending.Wait()
	require.NoError(t, near.Close())
	_, _, err = far.Receive()
	require.Equal(t, io.EOF, err)
	require.NoError(t, far.Close())
}

func TestCloseEndsBlockedCalls(t *testing.T) {
	near, far, err := Pair()
	require.NoError(t, err)
	ended := make(chan error, 2)
	go func() {
		_, _, err := near.Receive()
		ended <- err
	}()
	go func() {
		for {
			if err := near.Send(1, make([]byte, 1<<20)); err != nil {
				ended <- err
				return
			}
		}
	}()
	require.NoError(t, near.Close())
	require.Error(t, <-ended)
	require.Error(t, <-ended)
	require.NoError(t, far.Close())
}

// What a child said before it went is read even after a send to it failed.
func TestLastWordsAreHeard(t *testing.T) {
	near, far, err := Pair()
	require.NoError(t, err)
	require.NoError(t, far.Send(1, []byte("last words")))
	require.NoError(t, far.Close())
	require.Error(t, near.Send(2, []byte("too late")))
	kind, payload, err := near.Receive()
	require.NoError(t, err)
	require.Equal(t, byte(1), kind)
	require.Equal(t, "last words", string(payload))
	require.Error(t, near.Send(2, nil))
	require.NoError(t, near.Close())
}

func TestFrameSizeIsBounded(t *testing.T) {
	near, far, err := Pair()
	require.NoError(t, err)
	defer near.Close()
	defer far.Close()
	require.ErrorIs(t, near.Send(1, make([]byte, MaxFrame), []byte{1}), ErrFrameSize)
	_, err = near.socket.Write([]byte{0x7f, 0, 0, 0, 1})
	require.NoError(t, err)
	_, _, err = far.Receive()
	require.ErrorIs(t, err, ErrFrameSize)
	_, err = far.socket.Write([]byte{0, 0, 0, 9, 1, 2})
	require.NoError(t, err)
	require.NoError(t, far.Close())
	_, _, err = near.Receive()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "half a frame")
}

func TestEnvironmentIsExactlyWhatIsGiven(t *testing.T) {
	for _, env := range [][]string{nil, {"A=1", "B=2"}} {
		_, conn := start(t, Command{Args: []string{"child-env"}, Env: env})
		_, payload, err := conn.Receive()
		require.NoError(t, err)
		require.Equal(t, strings.Join(env, " "), string(payload))
	}
}

func TestMemoryIsTakenFromTheChildFirst(t *testing.T) {
	process, _ := start(t, Command{Args: []string{"child-echo"}})
	score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", process.Pid()))
	require.NoError(t, err)
	require.Equal(t, "500\n", string(score))
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	_, _, err := Start(Command{Path: "/nonexistent"})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWaitTellsTheExitCode(t *testing.T) {
	process, _ := start(t, Command{Args: []string{"child-exit"}})
	var exit *exec.ExitError
	require.ErrorAs(t, process.Wait(), &exit)
	require.Equal(t, 3, exit.ExitCode())
	process.Kill()
}

func TestStopEndsAProcessThatWillNot(t *testing.T) {
	process, conn := start(t, Command{Args: []string{"child-stuck"}})
	_, _, err := conn.Receive()
	require.NoError(t, err)
	began := time.Now()
	require.Error(t, process.Stop(10*time.Millisecond))
	require.GreaterOrEqual(t, time.Since(began), terminated, "SIGTERM was ignored, SIGKILL followed")
}

// A child dies with its parent even if it ignores its socket and SIGTERM.
func TestChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command("/proc/self/exe", "child-parent")
	output, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	var pid int
	_, err = fmt.Fscan(output, &pid)
	require.NoError(t, err)
	handle, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	defer unix.Close(handle)

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, 10_000)
	require.NoError(t, err)
	require.Equal(t, 1, n, "process %d still runs", pid)
}

func TestStderrComesInLines(t *testing.T) {
	var got []string
	process, _ := start(t, Command{Args: []string{"child-chatter"}, Stderr: func(line string) { got = append(got, line) }})
	require.NoError(t, process.Wait())
	require.Equal(t, []string{"line 0", "line 1", "line 2", "end"}, got)
}

func TestLinesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		l := newLines(func(line string) { got = append(got, line) })
		say := func(lines int) {
			_, err := l.Write([]byte(strings.Repeat("x\n", lines)))
			require.NoError(t, err)
		}
		say(1000)
		require.Len(t, got, MaxLinesPerSecond)
		time.Sleep(time.Second)
		say(MaxLinesPerSecond + 3)
		l.flush()
		require.Len(t, got, 2*MaxLinesPerSecond+2)
		require.Equal(t, "900 more lines dropped", got[MaxLinesPerSecond])
		require.Equal(t, "3 more lines dropped", got[len(got)-1])
	})
}

func TestLinesAreCut(t *testing.T) {
	var got []string
	l := newLines(func(line string) { got = append(got, line) })
	for _, piece := range []string{"a", "b\r\n\nc", strings.Repeat("d", MaxLine), "e\n\xff", ""} {
		n, err := l.Write([]byte(piece))
		require.NoError(t, err)
		require.Equal(t, len(piece), n)
	}
	l.flush()
	require.Equal(t, []string{"ab", "", "c" + strings.Repeat("d", MaxLine-1), "\uFFFD"}, got)
}

func TestSupervisorRestartsAndStops(t *testing.T) {
	lives := make(chan int)
	s := &Supervisor{Command: Command{Args: []string{"child-echo"}}, Grace: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
	s.Serve = func(ctx context.Context, process *Process, conn *Conn) error {
		lives <- process.Pid()
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		_, _, err := conn.Receive()
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	pid := <-lives
	for life := range 3 {
		require.Equal(t, int64(life), s.Restarts())
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		next := <-lives
		require.NotEqual(t, pid, next)
		pid = next
	}
	cancel()
	require.NoError(t, <-done)
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

// A session that ends in an error ends the process, and so does a stop that
// the process ignores.
func TestSupervisorLeavesNothingBehind(t *testing.T) {
	s := &Supervisor{Command: Command{Args: []string{"child-stuck"}}, Grace: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	broken := errors.New("broken protocol")
	pids := make(chan int, 1)
	s.Serve = func(_ context.Context, process *Process, conn *Conn) error {
		if _, _, err := conn.Receive(); err != nil {
			return err
		}
		pids <- process.Pid()
		if s.Restarts() == 0 {
			return broken
		}
		_, _, err := conn.Receive()
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	first, second := <-pids, <-pids
	require.ErrorIs(t, syscall.Kill(first, 0), syscall.ESRCH)
	cancel()
	require.NoError(t, <-done)
	require.ErrorIs(t, syscall.Kill(second, 0), syscall.ESRCH)
}

func TestSupervisorWatchesMemory(t *testing.T) {
	ends := make(chan string, 4)
	s := &Supervisor{
		Command: Command{Args: []string{"child-greedy"}}, MemoryLimit: 32 << 20,
		Log: slog.New(slog.NewTextHandler(writerFunc(func(p []byte) { ends <- string(p) }), nil)),
	}
	s.Serve = func(_ context.Context, _ *Process, conn *Conn) error {
		_, _, err := conn.Receive()
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	require.Contains(t, <-ends, "limit "+strconv.Itoa(32<<20))
	cancel()
	require.NoError(t, <-done)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
