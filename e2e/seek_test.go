package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What `make players` and `make faults` make long: how much is stored, and how often each player
// seeks in each piece.
const (
	seekHistory = "MILLRACE_TEST_HISTORY" // as "2h"
	seekTimes   = "MILLRACE_TEST_SEEKS"
)

// seekLength is how much history the test has, and how often it seeks.
func seekLength(t *testing.T) (history time.Duration, seeks int) {
	t.Helper()
	history, seeks = 2*time.Minute, 1
	var err error
	if text := os.Getenv(seekHistory); text != "" {
		history, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	if text := os.Getenv(seekTimes); text != "" {
		seeks, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	return history, seeks
}

// seekReport is what a page of browser/seek.html says of its player.
type seekReport struct {
	Name, Base string
	Errors     []string
	Seeks      int
	Stuck      []float64
	Astray     [][2]float64
	Hurried    []float64    // rates other than 1 at which it played of itself
	Row        [][2]float64 // where each seek went to, and where the picture was then
	From, To   float64
	Slowest    float64 // ms
	Width      int
	Tile       []int // columns, rows, and the size in pixels of the sheet of a thumbnail
}

// TestPlayersSeekInWhatIsStored plays start-over, a long VOD, a range with a gap,
// one over a change of rungs, and clips in every player that viewers use, and seeks
// in each at random. `make players` makes it long.
func TestPlayersSeekInWhatIsStored(t *testing.T) {
	history, seeks := seekLength(t)
	a := newArchive(t, history)
	t.Run("browser", func(t *testing.T) { a.seekInBrowser(t, seeks, os.Getenv(seekTimes) != "") })
	t.Run("ffmpeg", func(t *testing.T) { a.seekWith(t, seeks, "ffmpeg", playWithFFmpeg) })
	t.Run("GStreamer", func(t *testing.T) { a.seekWith(t, seeks, "gst-play-1.0", playWithGStreamer) })
}

// briefly is what each player plays in the test's short form: what is hardest for it.
var briefly = map[string][]string{
	"hls": {"exact", "rungs"}, "shaka": {"start-over", "gap"}, "shaka-hls": {"vod"}, "dash": {"start-over", "gap"},
}

// plays says whether a player plays a piece in the test.
func plays(player, piece string, long bool) bool {
	clip := piece == "fast" || piece == "exact"
	if clip && (player == "shaka" || player == "dash") {
		return false // it has no manifest
	}
	return long || slices.Contains(briefly[player], piece)
}

func (a *archive) seekInBrowser(t *testing.T, seeks int, long bool) {
	requireBrowser(t)
	folder := os.Getenv("SCREENSHOTS") // kept to be looked at, when set
	if folder == "" {
		folder = t.TempDir()
	}
	const patience = 60 // seconds: a busy machine is no error of a player's
	args := []string{"browser/seek.mjs", playerPage(t), strconv.Itoa(seeks), strconv.Itoa(patience), "10", folder}
	watched := 0
	names := map[string]string{}
	for piece, base := range a.pieces() {
		names[base] = piece
		for player := range briefly {
			if plays(player, piece, long) {
				args = append(args, player+"="+base)
				watched++
			}
		}
	}
	command := exec.CommandContext(t.Context(), "node", args...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	require.NoError(t, err, complaints.String())
	reports := 0
	for line := range bytes.Lines(out) {
		var r seekReport
		require.NoError(t, json.Unmarshal(line, &r), string(line))
		reports++
		piece := names[r.Base]
		t.Logf("%s %s: %d seeks in %.0f-%.0f s, the slowest %.0f ms, stuck %v, astray %v, hurried %v, tile %v, errors %v", r.Name, piece, r.Seeks, r.From, r.To,
			r.Slowest, r.Stuck, r.Astray, r.Hurried, r.Tile, r.Errors)
		r.check(t, piece, seeks)
	}
	require.Equal(t, watched, reports)
}

func (r seekReport) check(t *testing.T, piece string, seeks int) {
	t.Helper()
	what := r.Name + " " + piece
	assert.Empty(t, r.Errors, what)
	assert.Equal(t, seeks, r.Seeks, what)
	assert.Empty(t, r.Stuck, "%s: %v", what, r.Row)
	assert.Empty(t, r.Astray, "%s: %v", what, r.Row)
	assert.Empty(t, r.Hurried, what)
	assert.Contains(t, []int{320, 426, 640}, r.Width, what)
	if r.Name == "hls" { // which shows no thumbnails
		return
	}
	switch piece {
	case "vod":
		assert.Equal(t, []int{5, 5, 800, 450}, r.Tile, what)
	case "start-over":
		assert.Equal(t, []int{1, 1, 160, 90}, r.Tile, what)
	}
}

// seekWith plays a little of each piece from random positions on.
func (a *archive) seekWith(t *testing.T, seeks int, program string, play func(ctx context.Context, url string, from float64) error) {
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(program + " is not installed")
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	pieces, lengths := a.pieces(), a.lengths()
	for _, name := range []string{"start-over", "vod", "gap", "fast", "exact"} {
		urls := []string{pieces[name] + "/index.m3u8"}
		switch {
		case name == "fast":
			urls = append(urls, pieces[name]+".mp4")
		case name == "vod" && program == "ffmpeg": // of several periods it plays the longest only
			urls = append(urls, pieces[name]+"/manifest.mpd")
		}
		for _, url := range urls {
			for range seeks {
				from := rnd.Float64() * (lengths[name] - 5)
				if name == "start-over" || program == "ffmpeg" && strings.HasSuffix(url, ".m3u8") {
					// Neither seeks in what has no end yet; after a seek in HLS, ffmpeg takes
					// segments of more than one fragment apart at the wrong places.
					from = 0
				}
				if at := from / 3.2; name == "gap" && at > gapAfter-1 && at < gapAfter+gapSegments {
					from = 3 // they do not go on behind a gap in which they begin
				}
				require.NoError(t, play(t.Context(), url, from), "%s from %.1f s on", url, from)
			}
		}
		t.Logf("%s: %d plays", name, seeks*len(urls))
	}
}

// playWithFFmpeg decodes a second; whatever ffmpeg has to say is an error.
func playWithFFmpeg(ctx context.Context, url string, from float64) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	args := []string{"-hide_banner", "-loglevel", "error", "-nostdin"}
	if from > 0 {
		args = append(args, "-ss", fmt.Sprintf("%.2f", from))
	}
	if strings.HasSuffix(url, ".m3u8") {
		args = append(args, "-live_start_index", "0")
	}
	args = append(args, "-i", url, "-t", "1", "-f", "framecrc", "-")
	command := exec.CommandContext(ctx, "ffmpeg", args...)
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	err := command.Run()
	switch frames := bytes.Count(out.Bytes(), []byte("\n0,")); {
	case err != nil:
		return fmt.Errorf("%w: %s", err, said.Bytes())
	case said.Len() > 0:
		return errors.New(said.String())
	case frames < 20:
		return fmt.Errorf("%d frames in a second", frames)
	}
	return nil
}

// playWithGStreamer plays until the position has moved.
func playWithGStreamer(ctx context.Context, url string, from float64) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "gst-play-1.0", "--no-interactive", "--videosink=fakevideosink", "--audiosink=fakeaudiosink",
		"--start-position="+fmt.Sprintf("%.0f", from), url)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		return err
	}
	var said bytes.Buffer
	positions := map[string]bool{}
	buffer := make([]byte, 4096)
	for len(positions) < 6 {
		n, err := output.Read(buffer)
		said.Write(buffer[:n])
		for _, word := range bytes.Fields(buffer[:n]) {
			if bytes.HasPrefix(word, []byte("0:")) && !bytes.Contains(word, []byte("99:99")) {
				positions[string(word)] = true
			}
		}
		if err != nil {
			break
		}
	}
	cancel()
	_ = command.Wait() // interrupted
	text := said.String()
	if slices.ContainsFunc([]string{"ERROR", "WARNING"}, func(s string) bool { return bytes.Contains(said.Bytes(), []byte(s)) }) || len(positions) < 6 {
		return errors.New(text)
	}
	return nil
}
