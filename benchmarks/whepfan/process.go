package whepfan

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// The sides, and the environment variables that tell a process which it is.
const (
	ours  = "millrace"
	plain = "plain pion"

	sideVariable    = "WHEP_FAN_SIDE"
	profileVariable = "WHEP_FAN_PROFILE"
)

// sending is a process that sends.
type sending struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	url     string // WHEP endpoint
}

func start(ctx context.Context, worker []string, side, profile string) (*sending, error) {
	s := &sending{command: exec.CommandContext(ctx, worker[0], worker[1:]...)}
	s.command.Env = append(os.Environ(), sideVariable+"="+side, profileVariable+"="+profile)
	s.command.Stderr = os.Stderr
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if s.in, err = s.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", side, err)
	}
	out, err := s.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", side, err)
	}
	s.out = bufio.NewScanner(out)
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", side, err)
	}
	if s.url, err = s.hear(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *sending) say(word string) error {
	if _, err := fmt.Fprintln(s.in, word); err != nil {
		return fmt.Errorf("tell the sending process: %w", err)
	}
	return nil
}

func (s *sending) hear() (string, error) {
	if !s.out.Scan() {
		return "", fmt.Errorf("the sending process ended: %w", s.out.Err())
	}
	return s.out.Text(), nil
}

func (s *sending) stop() {
	_ = s.in.Close() // it ends by itself
	_ = s.command.Wait()
}

// parts are where CPU goes, by the functions that are on it.
var parts = []struct {
	name      string
	functions *regexp.Regexp
}{
	{"the kernel, sending and receiving", regexp.MustCompile(`[sS]yscall`)},
	{"encryption", regexp.MustCompile(`^(vendor/)?(crypto/|golang.org/x/crypto|github.com/pion/srtp)`)},
	{"memory and its collection", regexp.MustCompile(`^runtime\.(malloc|gc|scan|sweep|mem|mark|grey|heap|\(\*m(heap|central|cache|span)|memclr|newobject|findObject|wbBuf)`)},
	{"scheduling and timers", regexp.MustCompile(`^runtime\.|^internal/runtime`)},
	{"pion's RTP, RTCP and ICE", regexp.MustCompile(`^github.com/pion/`)},
	{"ours", regexp.MustCompile(`^millrace/`)},
}

var topLine = regexp.MustCompile(`^\s*\S+\s+([0-9.]+)%\s+\S+%\s+\S+\s+\S+%\s+(\S+)`)

// sharesOf sums a profile up by parts, percent.
func sharesOf(ctx context.Context, profile string) (map[string]float64, error) {
	command := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", profile)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("read profile: %w: %s", err, complaints.String())
	}
	shares := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		found := topLine.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		share, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			continue
		}
		shares[partOf(found[2])] += share
	}
	return shares, nil
}

func partOf(function string) string {
	for _, part := range parts {
		if part.functions.MatchString(function) {
			return part.name
		}
	}
	return "the rest"
}
