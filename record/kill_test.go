package record

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writerDir makes the test binary a process that writes a store until it is killed.
const writerDir = "MILLRACE_TEST_STORE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		writeUntilKilled(dir)
	}
	leakChecked(m)
}

// writeUntilKilled prints each part once it is listed.
func writeUntilKilled(dir string) {
	t := &testing.T{}
	s, err := Open(Config{Dirs: []string{dir}, Window: 5 * time.Minute})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	l := layoutOf(t, "")
	run(t, s)
	if err := s.SetLayout(l); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for k := s.NextSegment(noon, l.Grid); ; k++ {
		for p := range 16 {
			appendPart(s, l, k, p, 20_000)
			await(t, s, l, k, p)
			if !s.State().Degraded { // a busy machine; what is listed then is not promised
				fmt.Println(k, p)
			}
		}
	}
}

// killRounds says how often TestKill kills; `make faults` sets it to 100.
const killRounds = "MILLRACE_TEST_KILLS"

// F27: after SIGKILL at any moment everything that was listed is there, and no
// number is used twice.
func TestKill(t *testing.T) {
	dir, l := t.TempDir(), layoutOf(t, "")
	rnd := rand.New(rand.NewPCG(7, 8))
	first, previous := int64(-1), int64(-1)
	for range roundsOf(t, killRounds, 12) {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), writerDir+"="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		killed := time.AfterFunc(time.Duration(50+rnd.IntN(150))*time.Millisecond, func() { _ = child.Process.Kill() })
		var k, lastK int64
		var p, lastP int
		for lines := bufio.NewScanner(out); lines.Scan(); lastK, lastP = k, p {
			_, err := fmt.Sscan(lines.Text(), &k, &p)
			require.NoError(t, err, lines.Text())
			require.Greater(t, k, previous, "a number is used once")
			if first < 0 {
				first = k
			}
		}
		_ = child.Wait()
		killed.Stop()
		s, err := Open(Config{Dirs: []string{dir}})
		require.NoError(t, err)
		if lastK > 0 {
			require.True(t, listed(s.Edge(), l, lastK, lastP), "%d.%d was listed", lastK, lastP)
		}
		if first > 0 {
			listing := s.Edge().Listing("v240")
			for n := listing.First(); n <= listing.Last(); n++ {
				parts := len(listing.Segment(n).Parts())
				require.Positive(t, parts)
				require.Equal(t, wanted(l.Renditions[1], n, parts, 20_000), bytesOf(t, s.Edge(), "v240", n))
			}
			previous = listing.Last()
		}
		require.NoError(t, s.Close())
	}
	require.Positive(t, first)
}
