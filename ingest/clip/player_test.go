package clip

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
)

// reel is a clip of 50 pictures a second of one length each, and sound in units of
// 1024 samples at 48 kHz that lasts as long or a little longer.
type reel struct {
	samples []Sample
	at      int
	length  time.Duration
	broken  int // the sample that cannot be read; 0: none
	closed  bool
}

var (
	film  = &media.Track{ID: "video", Kind: media.Video, Codec: media.H264}
	score = &media.Track{ID: "audio", Kind: media.Audio, Codec: media.AAC, SampleRate: 48000}
)

const unit = 1024 * time.Second / 48000

func newReel(length time.Duration) *reel {
	r := &reel{length: length}
	for at := time.Duration(0); at < length; at += 20 * time.Millisecond {
		r.samples = append(r.samples, Sample{Track: film, PTS: at, DTS: at, Duration: 20 * time.Millisecond, Key: at%(200*time.Millisecond) == 0, Data: []byte{1}})
	}
	for i := int64(0); ; i++ {
		at := time.Duration(media.TimeOfTicks(1024*i, 48000))
		if at >= length {
			break
		}
		r.samples = append(r.samples, Sample{Track: score, PTS: at, DTS: at, Duration: unit, Key: true, Data: []byte{2}})
	}
	slices.SortStableFunc(r.samples, func(a, b Sample) int { return int(a.DTS - b.DTS) })
	return r
}

func (r *reel) Next() (Sample, error) {
	if r.at == len(r.samples) {
		return Sample{}, io.EOF
	}
	r.at++
	if r.at == r.broken {
		return Sample{}, unusable("it is torn")
	}
	return r.samples[r.at-1], nil
}
func (r *reel) Rewind() error         { r.at = 0; return nil }
func (r *reel) Length() time.Duration { return r.length }
func (r *reel) Rate() media.Rate      { return media.Rate{Num: 50, Den: 1} }
func (r *reel) Close() error          { r.closed = true; return nil }

// cinema runs a player into a real source under fake time.
type cinema struct {
	t      *testing.T
	clock  *media.Clock
	source *ingest.Source
	player *Player
	reel   *reel

	mu       sync.Mutex
	settings Settings
	open     error
	packets  []*media.Packet
	states   []State
}

func (c *cinema) Write(p *media.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packets = append(c.packets, p)
}

func (c *cinema) pictures() (times []media.Time) { return c.times(media.Video) }

func (c *cinema) times(kind media.Kind) (times []media.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.packets {
		if p.Track.Kind == kind {
			times = append(times, p.PTS)
		}
	}
	return times
}

func (c *cinema) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packets = nil
}

func (c *cinema) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func inCinema(t *testing.T, r *reel, settings Settings, test func(t *testing.T, c *cinema)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{t: t, reel: r, settings: settings, clock: media.NewClock(media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)), time.Now())}
		c.source = ingest.NewSource(ingest.SourceConfig{ID: "clip", Clock: c.clock})
		c.player = NewPlayer(Config{
			Feed: c.source, Clock: c.clock, Log: slog.New(slog.DiscardHandler),
			Open:     func() (Reader, error) { return c.reel, c.open },
			Settings: func() Settings { c.mu.Lock(); defer c.mu.Unlock(); return c.settings },
			OnState:  func(s State) { c.mu.Lock(); defer c.mu.Unlock(); c.states = append(c.states, s) },
		})
		cancelled := c.source.Subscribe(c)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = c.source.Run(ctx) })
		running.Go(func() { require.NoError(t, c.player.Run(ctx)) })
		synctest.Wait()
		test(t, c)
		cancel()
		running.Wait()
		cancelled()
		require.True(t, r.closed || r.at == 0)
	})
}

// even requires pictures one step apart.
func even(t *testing.T, times []media.Time, step time.Duration) {
	t.Helper()
	for i := 1; i < len(times); i++ {
		require.InDelta(t, step, times[i].Sub(times[i-1]), 2, "picture %d", i)
	}
}

func TestALoopHasNoGap(t *testing.T) {
	inCinema(t, newReel(time.Second), Settings{Loop: true, Begin: true}, func(t *testing.T, c *cinema) {
		c.wait(10 * time.Second)
		require.Equal(t, ingest.Live, c.source.State().State)
		pictures, sound := c.pictures(), c.times(media.Audio)
		require.InDelta(t, 500, len(pictures), 10)
		even(t, pictures, 20*time.Millisecond)
		even(t, sound, unit)
		require.Less(t, sound[len(sound)-1].Sub(pictures[len(pictures)-1]).Abs(), 2*unit, "they stay together")
		require.EqualValues(t, 10*time.Millisecond, time.Duration(pictures[0])%(20*time.Millisecond), "between two ticks")
		require.Equal(t, Playing, c.player.Status().State)
	})
}

func TestAClipIsCuedAndPlaysToItsEnd(t *testing.T) {
	inCinema(t, newReel(time.Second), Settings{}, func(t *testing.T, c *cinema) {
		c.wait(5 * time.Second)
		require.Equal(t, Cued, c.player.Status().State)
		require.Len(t, c.pictures(), 2, "the first picture, twice")
		require.Empty(t, c.times(media.Audio))
		require.Equal(t, ingest.Idle, c.source.State().State)
		require.NotNil(t, c.source.Keyframe(), "it stays for who comes later")

		c.clear()
		began := c.clock.Now()
		c.player.Do(Restart)
		c.wait(500 * time.Millisecond)
		require.InDelta(t, 250*time.Millisecond, c.player.Status().Position, float64(40*time.Millisecond))
		require.Equal(t, ingest.Live, c.source.State().State)
		c.player.Do(Play)
		c.wait(time.Second)
		require.Len(t, c.pictures(), 50)
		even(t, c.pictures(), 20*time.Millisecond)
		require.WithinRange(t, c.pictures()[0].UTC(), began.Add(lead).UTC(), began.Add(lead+20*time.Millisecond).UTC())
		require.Equal(t, Ended, c.player.Status().State)
		require.Equal(t, ingest.Idle, c.source.State().State)

		c.clear()
		c.player.Do(Play)
		c.wait(2 * time.Second)
		require.Len(t, c.pictures(), 50, "from the beginning")
		c.mu.Lock()
		c.settings.Rewind = true
		c.mu.Unlock()
		c.player.Do(Restart)
		c.wait(2 * time.Second)
		require.Equal(t, Cued, c.player.Status().State)
		c.player.Do(Restart)
		c.wait(500 * time.Millisecond)
		c.player.Do(Cue)
		c.wait(time.Millisecond)
		require.Equal(t, Cued, c.player.Status().State)
		require.Equal(t, []State{Playing, Ended, Playing, Ended, Playing, Ended, Cued, Playing, Cued}, c.states)
	})
}

func TestAPauseKeepsThePicture(t *testing.T) {
	inCinema(t, newReel(time.Second), Settings{Begin: true}, func(t *testing.T, c *cinema) {
		c.wait(lead + 500*time.Millisecond)
		c.player.Do(Pause)
		c.wait(time.Minute)
		require.Equal(t, Paused, c.player.Status().State)
		require.InDelta(t, 500*time.Millisecond, c.player.Status().Position, float64(40*time.Millisecond))
		fed := len(c.pictures())
		c.clear()
		c.player.Do(Play)
		c.wait(2 * time.Second)
		pictures := c.pictures()
		even(t, pictures, 20*time.Millisecond)
		require.InDelta(t, 50, fed+len(pictures)-10, 10, "the group of pictures comes again, and then the rest")
		require.True(t, c.packets[0].Key)
		require.Less(t, c.packets[0].PTS, c.clock.Now().Add(-time.Second-200*time.Millisecond), "before the moment at which it goes on")
	})
}

func TestBrokenClips(t *testing.T) {
	torn := newReel(time.Second)
	torn.broken = 30
	empty := newReel(time.Second)
	empty.samples = nil
	for _, row := range []struct {
		name string
		reel *reel
		open error
		says string
	}{
		{"torn", torn, nil, "it is torn"},
		{"empty", empty, nil, "nothing in it"},
		{"missing", newReel(time.Second), errors.New("no such file"), "no such file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inCinema(t, row.reel, Settings{Loop: true}, func(t *testing.T, c *cinema) {
				c.open = row.open
				c.player.Do(Load)
				c.player.Do(Restart)
				c.wait(3 * time.Second)
				status := c.player.Status()
				require.Equal(t, Broken, status.State)
				require.ErrorContains(t, status.Reason, row.says)
				require.Equal(t, ingest.Failed, c.source.State().State)
				require.ErrorContains(t, c.source.State().Reason, row.says)

				c.reel, c.open = newReel(time.Second), nil
				c.player.Do(Load)
				c.wait(time.Second)
				require.Equal(t, Cued, c.player.Status().State)
				c.player.Do(Play)
				c.wait(time.Second)
				require.Equal(t, ingest.Live, c.source.State().State)
				c.source.Kick(errors.New("ended by an operator"))
				c.wait(time.Second)
				require.Equal(t, Cued, c.player.Status().State)
				row.reel.closed = true
			})
		})
	}
}
