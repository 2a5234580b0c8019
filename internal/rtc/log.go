package rtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog gives what pion says to slog at debug level, whatever pion's level:
// nearly all of it is what strangers and bad networks cause.
type pionLog struct{ log *slog.Logger }

// NewLogger is logging.LoggerFactory's.
func (l pionLog) NewLogger(scope string) logging.LeveledLogger { return scopedLog{l.log, scope} }

type scopedLog struct {
	log   *slog.Logger
	scope string
}

func (l scopedLog) say(level, text string) {
	l.log.Debug("pion", "scope", l.scope, "level", level, "text", text)
}

func (l scopedLog) sayf(level, format string, args []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.say(level, fmt.Sprintf(format, args...))
	}
}

func (l scopedLog) Trace(string)                      {}
func (l scopedLog) Tracef(string, ...any)             {}
func (l scopedLog) Debug(text string)                 { l.say("debug", text) }
func (l scopedLog) Debugf(format string, args ...any) { l.sayf("debug", format, args) }
func (l scopedLog) Info(text string)                  { l.say("info", text) }
func (l scopedLog) Infof(format string, args ...any)  { l.sayf("info", format, args) }
func (l scopedLog) Warn(text string)                  { l.say("warn", text) }
func (l scopedLog) Warnf(format string, args ...any)  { l.sayf("warn", format, args) }
func (l scopedLog) Error(text string)                 { l.say("error", text) }
func (l scopedLog) Errorf(format string, args ...any) { l.sayf("error", format, args) }
