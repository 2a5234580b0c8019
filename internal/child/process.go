package child

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Command says what to run.
type Command struct {
	Path string   // of the program; empty is this one, even if its file was replaced since
	Args []string // after argv[0]
	Env  []string // all of it; nothing is inherited
	Dir  string   // empty is this process's
	// Stderr gets each line of standard error and output, without the line
	// end, from one goroutine. Lines are cut at MaxLine bytes; beyond
	// MaxLinesPerSecond they are counted and the count is reported as a line.
	Stderr func(line string)
}

// Process is a running child. It dies with this process, whatever the cause.
type Process struct {
	command *exec.Cmd
	exited  chan struct{}
	err     error // set before exited closes
	ended   atomic.Bool
}

// Start runs the command with one end of a new socket as descriptor 3 and
// gives the other. The caller closes the Conn and calls Wait.
func Start(command Command) (*Process, *Conn, error) {
	near, far, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	conn, err := fileConn(near)
	if err != nil {
		_ = far.Close()
		return nil, nil, err
	}
	process := &Process{command: prepare(command, far), exited: make(chan struct{})}
	started := make(chan error)
	go process.run(started)
	err = <-started
	_ = far.Close() // the child has its own now
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("start child process: %w", err)
	}
	return process, conn, nil
}

func prepare(command Command, socket *os.File) *exec.Cmd {
	path, name := command.Path, command.Path
	if path == "" {
		path, name = "/proc/self/exe", os.Args[0]
	}
	output := newLines(command.Stderr)
	environment := command.Env
	if environment == nil {
		environment = []string{}
	}
	return &exec.Cmd{
		Path: path, Args: append([]string{name}, command.Args...),
		Env: environment, Dir: command.Dir,
		Stdout: output, Stderr: output,
		ExtraFiles: []*os.File{socket},
		// Its own group, so that a terminal's ^C reaches only the server,
		// which then stops its children in order.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		WaitDelay:   time.Second,
	}
}

// run starts the child and waits for it on one thread: Pdeathsig fires when
// the thread that forked ends, not the process (prctl(2)).
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.command.Start(); err != nil {
		started <- err
		return
	}
	p.yieldMemory()
	started <- nil
	p.err = p.command.Wait()
	if output, ok := p.command.Stderr.(*lines); ok {
		output.flush()
	}
	p.ended.Store(true)
	close(p.exited)
}

// yieldMemory makes the kernel take a child rather than the server when memory
// runs out (proc_pid_oom_score_adj(5)).
func (p *Process) yieldMemory() {
	// A kernel that does not let it chooses by itself, which is no fault.
	_ = os.WriteFile("/proc/"+strconv.Itoa(p.Pid())+"/oom_score_adj", []byte("500"), 0)
}

// Pid is the process id.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Wait blocks until the process has ended and its output is read. The error is
// an *exec.ExitError unless it exited with code 0. It may be called from any
// goroutine, any number of times.
func (p *Process) Wait() error {
	<-p.exited
	return p.err
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Kill ends the process at once.
func (p *Process) Kill() { p.signal(syscall.SIGKILL) }

// signal ignores a process that has ended, which is what it is for.
func (p *Process) signal(signal os.Signal) {
	_ = p.command.Process.Signal(signal)
}

// terminated is how long a process may take to end after SIGTERM.
const terminated = time.Second

// Stop waits until the process, which was asked to end, does so within grace;
// then it gets SIGTERM, then SIGKILL. It returns what Wait does.
func (p *Process) Stop(grace time.Duration) error {
	if !p.endsWithin(grace) {
		p.signal(syscall.SIGTERM)
		if !p.endsWithin(terminated) {
			p.Kill()
		}
	}
	return p.Wait()
}

func (p *Process) endsWithin(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}

// errEnded says that a process is no longer there to be measured.
var errEnded = errors.New("process has ended")

// RSS is the resident memory of the process in bytes.
func (p *Process) RSS() (int64, error) {
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid()) + "/statm")
	if err != nil || p.ended.Load() {
		return 0, fmt.Errorf("read memory of child process: %w", errors.Join(errEnded, err))
	}
	fields := bytes.Fields(statm) // proc_pid_statm(5): size, resident, ... in pages
	if len(fields) < 2 {
		return 0, fmt.Errorf("read memory of child process: unknown statm %.40q", statm)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read memory of child process: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
