package engine

import (
	"image"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/mixer/engine/pattern"
	"millrace/mixer/worker"
)

var quadrants = [4]image.Rectangle{
	image.Rect(0, 0, 160, 90), image.Rect(160, 0, 320, 90), image.Rect(0, 90, 160, 180), image.Rect(160, 90, 320, 180),
}

func TestEveryFrameShowsItsOwnNumber(t *testing.T) {
	for _, rate := range []string{"24000/1001", "25", "30", "60"} {
		s := inStudio(t, testShow(rate), func(t *testing.T, s *studio) { s.until(s.first + 70) })
		pictures := s.watch(t, 0)
		require.GreaterOrEqual(t, len(pictures), 70)
		for _, picture := range pictures {
			for i, cell := range quadrants {
				number, ok := pattern.ReadCounter(picture.picture.Sub(cell))
				require.True(t, ok, "%s: frame %d cell %d", rate, picture.frame, i)
				require.Equal(t, uint32(picture.frame), number, rate)
			}
		}
	}
}

func TestCutTakesEffectOnExactlyItsFrame(t *testing.T) {
	solo := "only-b"
	var at int64
	s := inStudio(t, testShow("30"), func(t *testing.T, s *studio) {
		at = s.first + 20
		ack := s.do(worker.Command{ID: 7, At: at, Cut: &solo})
		require.Equal(t, worker.Ack{ID: 7, Frame: at, Program: "only-b"}, ack)
		s.until(at + 10)

		again := s.do(worker.Command{At: at + 5, Cut: &solo}) // over, and without effect
		require.Equal(t, worker.AckPast, again.Code)
		require.Empty(t, s.do(worker.Command{At: at + 14, Cut: &solo}).Error)
		back := ""
		ack = s.do(worker.Command{ID: 8, At: at + 15, Cut: &back})
		require.Equal(t, worker.Ack{ID: 8, Frame: at + 15, Program: "grid"}, ack, "without a preview, the scene before")
		s.until(at + 20)
	})
	for _, picture := range s.watch(t, 0) {
		_, full := pattern.ReadCounter(picture.picture)
		_, cell := pattern.ReadCounter(picture.picture.Sub(quadrants[3]))
		solo := picture.frame >= at && picture.frame < at+15
		require.Equal(t, solo, full, "frame %d", picture.frame-at)
		require.Equal(t, !solo, cell, "frame %d", picture.frame-at)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	name := func(s string) *string { return &s }
	inStudio(t, testShow("30"), func(t *testing.T, s *studio) {
		s.until(s.first + 5)
		ack := s.do(worker.Command{At: s.first, Cut: name("only-a")})
		require.Equal(t, worker.AckPast, ack.Code)
		require.Equal(t, s.first+6, ack.Frame, "the earliest possible")

		ack = s.do(worker.Command{Cut: name("nowhere")})
		require.Equal(t, worker.AckUnknown, ack.Code)
		ack = s.do(worker.Command{Preview: name("nowhere")})
		require.Equal(t, worker.AckUnknown, ack.Code)
		ack = s.do(worker.Command{Cut: name("only-a"), Expect: name("only-b")})
		require.Equal(t, worker.AckMoved, ack.Code)
		require.Equal(t, "grid", ack.Program)

		other := testShow("25")
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Show: &other}).Code)
		other = testShow("30")
		other.Scenes = other.Scenes[:1]
		require.Equal(t, worker.AckOnAir, s.do(worker.Command{Show: &other}).Code, "the program scene is missing")
		other = testShow("30")
		other.Sources[0].Audio.DelayMs = 60_000
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Show: &other}).Code)
		other = testShow("30")
		other.Scenes[0].Layout = "no-such"
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Show: &other}).Code)
		other = testShow("30")
		other.Sources[1].Test.ToneHz = -1
		other.Sources = append(other.Sources, worker.Source{ID: "new", Kind: worker.Push})
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Show: &other}).Code)

		ack = s.do(worker.Command{Preview: name("only-c"), Expect: name("grid")})
		require.Equal(t, "only-c", ack.Preview)
		ack = s.do(worker.Command{Cut: name("")})
		require.Equal(t, "only-c", ack.Program)
		require.Equal(t, "grid", ack.Preview, "cut after cut goes to and fro")
	})
}

func TestShowChangesOnAirWithoutABreak(t *testing.T) {
	var at int64
	s := inStudio(t, testShow("30"), func(t *testing.T, s *studio) {
		at = s.first + 10
		changed := testShow("30")
		last := len(changed.Scenes) - 1
		changed.Scenes[last].Slots = []string{"d", "c", "", "new"}
		changed.Sources = append(changed.Sources[1:], worker.Source{ID: "new", Name: "New", Kind: worker.Push, HoldMs: 100})
		changed.Scenes = changed.Scenes[1:]
		ack := s.do(worker.Command{At: at, Show: &changed})
		require.Equal(t, worker.Ack{Frame: at, Program: "grid"}, ack)
		s.until(at + 40)
		require.Equal(t, worker.Idle, s.latest("new").State)
		require.NotContains(t, s.reports[len(s.reports)-1].Sources, "a")
	})
	for _, picture := range s.watch(t, 0) {
		for i, cell := range quadrants {
			_, ok := pattern.ReadCounter(picture.picture.Sub(cell))
			require.Equal(t, picture.frame < at || i < 2, ok, "frame %d cell %d", picture.frame-at, i)
		}
	}
}

func TestReportsOnceASecondAndOnChange(t *testing.T) {
	s := inStudio(t, testShow("30"), func(t *testing.T, s *studio) { s.until(s.first + 95) })
	require.Len(t, s.reports, 4)
	for i, report := range s.reports[1:] {
		require.Equal(t, s.rate.Index(noon.Add(time.Duration(i+1)*time.Second)), report.Frame)
		require.Equal(t, "grid", report.Program)
		require.Equal(t, worker.Live, report.Sources["a"].State)
		require.InDelta(t, -22, report.Sources["a"].PeakDB, 4)
		require.Equal(t, s.rate.Interval(), report.Phases.Interval)
	}
}
