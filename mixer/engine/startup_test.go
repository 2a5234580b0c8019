package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
)

// BenchmarkStart is how long a worker takes from hello to ready.
func BenchmarkStart(b *testing.B) {
	for _, filler := range []bool{false, true} {
		name := "restart"
		if filler {
			name = "first"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				device, err := gpu.Open("cpu")
				require.NoError(b, err)
				e, err := New(Config{Show: demoShow(), Device: device, Clock: media.NewClock(noon, time.Now()), GOPFrames: 48, Filler: filler})
				require.NoError(b, err)
				e.Close()
				require.Zero(b, device.Outstanding())
				device.Close()
			}
		})
	}
}
