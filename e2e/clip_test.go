package e2e

import (
	"context"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/testmedia"
	"millrace/internal/media"
)

// counterSpan is how far apart the counters of two cameras' clips begin, so
// that a picture says whose it is.
const counterSpan = 1 << 20

// camera is the clip that camera number 1 and up sends: a presenter with a
// tone of the camera's own, looped by the publisher.
func camera(number int) testmedia.Clip {
	return testmedia.Clip{
		Scene: testmedia.Talk, Width: 320, Height: 180, Rate: media.Rate{Num: 25, Den: 1}, Frames: 100,
		First: int64(number) * counterSpan, Seed: uint64(number), Bitrate: 600_000, GOP: 25,
		Tone: cameraTone(number),
	}
}

// cameraTone is a multiple of 100 Hz, as is its distance from the beep of 1 kHz.
func cameraTone(number int) int { return []int{0, 500, 400, 700, 1300}[number] }

// clip gives the file of a clip in a container.
func clip(t *testing.T, c testmedia.Clip, extension string) string {
	t.Helper()
	path, err := testmedia.File(context.Background(), folder(t), c, extension)
	require.NoError(t, err)
	return path
}

// remux makes another file of clips with ffmpeg.
func remux(t *testing.T, path string, args ...string) {
	t.Helper()
	args = append([]string{"-v", "error", "-nostdin"}, args...)
	said, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, path)...).CombinedOutput()
	require.NoError(t, err, "%s", said)
}
