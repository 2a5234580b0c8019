package child

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// What a child may say at most.
const (
	MaxLine           = 4096 // bytes; the rest of a longer line is dropped
	MaxLinesPerSecond = 100
)

// lines cuts a stream into lines for a callback that a chattering child must
// not drown. One goroutine writes; flush follows the last write.
type lines struct {
	emit    func(string)
	partial []byte
	second  time.Time // start of the second that count belongs to
	count   int
	dropped int
}

func newLines(emit func(string)) *lines {
	if emit == nil {
		emit = func(string) {}
	}
	return &lines{emit: emit}
}

// Write takes any piece of the stream; it never fails.
func (l *lines) Write(data []byte) (int, error) {
	size := len(data)
	for {
		line, rest, found := bytes.Cut(data, []byte{'\n'})
		l.partial = append(l.partial, line[:min(len(line), MaxLine-len(l.partial))]...)
		if !found {
			return size, nil
		}
		l.end()
		data = rest
	}
}

// flush emits what stands without a line end, and the last count of drops.
func (l *lines) flush() {
	if len(l.partial) > 0 {
		l.end()
	}
	l.report()
}

func (l *lines) end() {
	line := strings.ToValidUTF8(strings.TrimRight(string(l.partial), "\r"), "\uFFFD")
	l.partial = l.partial[:0]
	if now := time.Now(); now.Sub(l.second) >= time.Second {
		l.report()
		l.second, l.count = now, 0
	}
	if l.count++; l.count > MaxLinesPerSecond {
		l.dropped++
		return
	}
	l.emit(line)
}

func (l *lines) report() {
	if l.dropped > 0 {
		l.emit(fmt.Sprintf("%d more lines dropped", l.dropped))
		l.dropped = 0
	}
}
