package ingest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

const senderEpoch = 3_900_000_000 * time.Second // NTP

// Captured together, but the picture's packets always come 60 ms after the
// sound's, so that the tracks' own clocks read 60 ms apart.
func TestTracksAreAlignedByTheSendersClock(t *testing.T) {
	timeline := NewTimeline(200 * time.Millisecond)
	const behind = 60 * time.Millisecond
	var apart []time.Duration
	drift := func(c time.Duration) time.Duration { return c / 10_000 } // the sound card's
	for n := range 3000 {
		c := time.Duration(n) * 20 * time.Millisecond // of capture
		arrival := testEpoch.Add(c)
		if n > 100 { // the first report
			timeline.Captured("a", c+drift(c), senderEpoch+c, true, arrival)
			timeline.Captured("v", c+behind, senderEpoch+c, false, arrival.Add(behind))
		}
		sound, _ := timeline.Map("a", c+drift(c), c+drift(c), arrival)
		picture, _ := timeline.Map("v", c+behind, c+behind, arrival.Add(behind))
		apart = append(apart, picture.Sub(sound))
	}
	require.InDelta(t, 60, apart[100].Milliseconds(), 1)
	for n, d := range apart[106:] { // time ascends, so the first few stand closer
		require.LessOrEqual(t, d.Abs(), 3*time.Millisecond, "unit %d", n)
	}
}

func TestWhatTheSenderSaysOfItsClock(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		says func(n int) time.Duration // of the picture, beside the truth
		most map[int]time.Duration     // largest distance, from that unit on
	}{
		{"the truth", func(int) time.Duration { return 0 }, map[int]time.Duration{1: 0}},
		{"it jitters", func(n int) time.Duration { return time.Duration(n%3) * ms }, map[int]time.Duration{1: 3 * ms}},
		{"it is a day off", func(int) time.Duration { return 24 * time.Hour }, map[int]time.Duration{0: 0}},
		{"a report that is wrong for a second", func(n int) time.Duration {
			if n > 500 && n < 550 {
				return 300 * ms
			}
			return 0
		}, map[int]time.Duration{1: 0}},
		{"it is moved by 300 ms for good", func(n int) time.Duration {
			if n > 500 {
				return 300 * ms
			}
			return 0
		}, map[int]time.Duration{1: 300 * ms}},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeline := NewTimeline(200 * ms)
			moved := media.Time(0)
			for n := range 2000 {
				at := time.Duration(n) * 20 * ms
				arrival := testEpoch.Add(at)
				timeline.Captured("a", at, senderEpoch+at, true, arrival)
				timeline.Captured("v", at, senderEpoch+at+c.says(n), false, arrival)
				sound, _ := timeline.Map("a", at, at, arrival)
				picture, _ := timeline.Map("v", at, at, arrival)
				for from, most := range c.most {
					if n >= from {
						require.LessOrEqual(t, picture.Sub(sound).Abs(), most, "unit %d", n)
					}
				}
				if picture.Sub(sound) > 290*ms && moved == 0 {
					moved = arrival
				}
			}
			if c.name == "it is moved by 300 ms for good" {
				require.NotZero(t, moved, "a clock that stays moved is followed")
				require.GreaterOrEqual(t, moved.Sub(testEpoch), 16*time.Second)
			}
		})
	}
}

// Sound that begins late takes the lead, and is not moved itself.
func TestLateSoundLeads(t *testing.T) {
	const behind = 30 * time.Millisecond
	timeline := NewTimeline(200 * time.Millisecond)
	var sound, picture media.Time
	for n := range 500 {
		at := time.Duration(n) * 20 * time.Millisecond
		arrival := testEpoch.Add(at)
		timeline.Captured("v", at, senderEpoch+at-behind, false, arrival)
		picture, _ = timeline.Map("v", at, at, arrival)
		if n < 250 {
			continue
		}
		before := sound
		timeline.Captured("a", at, senderEpoch+at, true, arrival)
		sound, _ = timeline.Map("a", at, at, arrival)
		if n > 250 {
			require.Equal(t, 20*time.Millisecond, sound.Sub(before))
		}
	}
	require.Equal(t, behind, sound.Sub(picture))
}

// A guest's camera is 60 ms behind his microphone: his sound waits for his
// pictures, and both wait no longer than that.
func TestAGuestIsInSyncAndShortlyAfter(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		session, err := source.ConnectInteractive("whip", "a")
		require.NoError(t, err)
		sink := &collector{}
		defer source.Subscribe(sink)()
		const behind = 60 * time.Millisecond
		written := map[*media.Track][]media.Time{}
		for at := time.Duration(0); at < 10*time.Second; at += 20 * time.Millisecond {
			session.Write(AccessUnit{Track: testAudio, PTS: at, DTS: at, Captured: senderEpoch + at, Key: true, Data: []byte{2}})
			written[testAudio] = append(written[testAudio], source.config.Clock.Now())
			if at >= behind {
				session.Write(AccessUnit{Track: testVideo, PTS: at, DTS: at, Captured: senderEpoch + at - behind, Key: at == behind, Data: []byte{1}})
				written[testVideo] = append(written[testVideo], source.config.Clock.Now())
			}
			time.Sleep(20 * time.Millisecond)
		}
		shown := map[*media.Track][]media.Time{}
		for _, p := range sink.list() {
			shown[p.Track] = append(shown[p.Track], p.PTS)
		}
		for n := 200; n < 450; n++ {
			require.InDelta(t, 0, shown[testVideo][n].Sub(shown[testAudio][n]).Milliseconds(), 3, "captured together, unit %d", n)
			wait := shown[testVideo][n].Sub(written[testVideo][n])
			require.GreaterOrEqual(t, wait, pictureMargin-3*time.Millisecond)
			require.LessOrEqual(t, wait, soundMargin+5*time.Millisecond, "unit %d", n)
		}
		require.Zero(t, source.State().LateAudio)
	})
}
