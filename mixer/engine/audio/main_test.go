package audio

import (
	"testing"

	"github.com/asticode/go-astiav"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	astiav.SetLogLevel(astiav.LogLevelQuiet)
	goleak.VerifyTestMain(m)
}
