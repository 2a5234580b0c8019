package ingest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector keeps what it is given.
type collector struct {
	mu      sync.Mutex
	packets []*media.Packet
}

func (c *collector) Write(p *media.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packets = append(c.packets, p)
}

func (c *collector) list() []*media.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.packets)
}

// states is a source whose reported states are kept.
type states struct {
	mu   sync.Mutex
	list []State
}

func (s *states) add(shot Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, shot.State)
}

func (s *states) take() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// withSource runs a test in a bubble with a watched source.
func withSource(t *testing.T, test func(t *testing.T, source *Source, seen *states)) {
	synctest.Test(t, func(t *testing.T) {
		seen := &states{}
		source := NewSource(SourceConfig{ID: "cam1", Latency: 200 * time.Millisecond, Clock: media.StartClock(), OnState: seen.add})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- source.Run(ctx) }()
		test(t, source, seen)
		cancel()
		require.NoError(t, <-done)
		_, err := source.Connect("rtmp", "late")
		require.ErrorIs(t, err, ErrDown)
	})
}

// A protocol that never asks whether a keyframe is wanted has no way to get one.
func TestKeyframesOfAPublisher(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		require.False(t, source.RequestKey(), "nobody publishes")
		session, err := source.Connect("whip", "a")
		require.NoError(t, err)
		require.False(t, source.RequestKey())
		keyed := session.(Keyed)
		require.False(t, keyed.KeyWanted(), "what was refused is not wanted")
		require.True(t, source.RequestKey())
		require.True(t, keyed.KeyWanted())
		require.False(t, keyed.KeyWanted(), "it is said once")
		session.Close(nil)
		require.False(t, source.RequestKey())
	})
}

// send writes pictures (a keyframe each second) and sound in real time.
func send(session Session, start, length time.Duration, video, audio bool) {
	for at := start; at < start+length; at += 20 * time.Millisecond {
		if video && at%(40*time.Millisecond) == 0 {
			session.Write(AccessUnit{Track: testVideo, PTS: at, DTS: at, Key: at%time.Second == 0, Data: []byte{1, 2}})
		}
		if audio {
			session.Write(AccessUnit{Track: testAudio, PTS: at, DTS: at, Key: true, Data: []byte{3}})
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestSourceStates(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, seen *states) {
		require.Equal(t, Idle, source.State().State)
		session, err := source.Connect("srt", "10.0.0.1:5")
		require.NoError(t, err)
		_, err = source.Connect("rtmp", "10.0.0.2:5")
		require.ErrorIs(t, err, ErrBusy)
		send(session, 0, 3*time.Second, true, true)
		require.Equal(t, []State{Connecting, Live}, seen.take())

		shot := source.State()
		require.Equal(t, "srt", shot.Kind)
		require.InDelta(t, 25, shot.FPS, 2)
		require.InDelta(t, (25*2+50)*8, shot.Bitrate, 80)
		require.Equal(t, time.Second, shot.GOP)
		require.Equal(t, uint64(225), shot.Packets)

		send(session, 3*time.Second, 3*time.Second, true, false)
		require.Equal(t, []State{Degraded}, seen.take(), "sound stopped")
		send(session, 6*time.Second, time.Second, true, true)
		time.Sleep(3 * time.Second)
		require.Equal(t, []State{Live, Degraded, Lost}, normal(seen.take()), "everything stopped")
		send(session, 10*time.Second, time.Second, true, true)
		require.Equal(t, Live, source.State().State)
		seen.take()

		session.Close(io.EOF)
		require.Equal(t, []State{Idle}, seen.take())
		session.Write(AccessUnit{Track: testVideo, Data: []byte{1}})
		require.Equal(t, Idle, source.State().State)

		session, err = source.Connect("srt", "x")
		require.NoError(t, err)
		session.Close(errors.New("connection reset"))
		time.Sleep(5 * time.Second)
		require.Equal(t, []State{Connecting, Lost}, seen.take())
		require.ErrorContains(t, source.State().Reason, "reset")
	})
}

// normal inserts Degraded before Lost where both tracks stopped in one watch.
func normal(list []State) []State {
	if len(list) == 2 && list[1] == Lost {
		return []State{list[0], Degraded, Lost}
	}
	return list
}

func TestSourceLetsAGhostGiveWay(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		ghost, err := source.Connect("rtmp", "a")
		require.NoError(t, err)
		send(ghost, 0, time.Second, true, true)
		time.Sleep(lostAfter + watchEvery)
		fresh, err := source.Connect("rtmp", "a")
		require.NoError(t, err)
		<-ghost.(Revocable).Revoked()
		send(fresh, 0, time.Second, true, true)
		ghost.Close(nil)
		require.Equal(t, Live, source.State().State, "the ghost's end is not the source's")
	})
}

func TestSourceKick(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, seen *states) {
		session, err := source.Connect("rtmp", "a")
		require.NoError(t, err)
		send(session, 0, time.Second, true, true)
		source.Kick(ErrForbidden)
		<-session.(Revocable).Revoked()
		require.ErrorIs(t, session.(Revocable).Reason(), ErrForbidden)
		require.Equal(t, []State{Connecting, Live, Idle}, seen.take())
		source.Kick(ErrForbidden)
	})
}

func TestSourceSubscribeLosesAndDoublesNothing(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		session, err := source.Connect("rtmp", "a")
		require.NoError(t, err)
		first := &collector{}
		defer source.Subscribe(first)()
		done := make(chan struct{})
		go func() {
			defer close(done)
			send(session, 0, 10*time.Second, true, true)
		}()
		time.Sleep(4*time.Second + 510*time.Millisecond)
		second := &collector{}
		cancel := source.Subscribe(second)
		require.True(t, second.list()[0].Key, "a subscriber begins with a keyframe")
		require.Equal(t, testVideo, second.list()[0].Track)
		time.Sleep(2 * time.Second)
		cancel()
		got := second.list()
		<-done
		require.Len(t, second.list(), len(got))
		all := first.list()
		begin := slices.Index(all, got[0])
		require.Equal(t, all[begin:begin+len(got)], got)
		require.Greater(t, len(got), 150)
	})
}

func TestSourceRefusesWhatItCannotUse(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		session, err := source.Connect("srt", "a")
		require.NoError(t, err)
		sink := &collector{}
		defer source.Subscribe(sink)()
		other := &media.Track{ID: "a2", Kind: media.Audio, Codec: media.AC3}
		session.Write(AccessUnit{Track: testAudio, Data: []byte{1}})
		session.Write(AccessUnit{Track: other, Data: []byte{1}})
		session.Write(AccessUnit{Track: testVideo})
		session.Write(AccessUnit{Track: testVideo, Data: make([]byte, packetSize+1)})
		time.Sleep(joinMost + watchEvery)
		require.Len(t, sink.list(), 1)
		require.Equal(t, uint64(3), source.State().Refused)
		time.Sleep(lostAfter)
		session.Write(AccessUnit{Track: other, Data: []byte{1}})
		require.Len(t, sink.list(), 2, "a track takes the place of a silent one")
		require.Same(t, other, source.State().Audio)
	})
}

func TestTheEndOfAPublisherIsOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		reason error
		want   string
	}{
		"clean":  {io.EOF, "msg=\"publisher gone\" source=cam1 kind=srt remote=a seconds=2 packets=100 lost=3\n"},
		"broken": {errors.New("silent"), "msg=\"publisher gone\" source=cam1 kind=srt remote=a seconds=2 packets=100 lost=3 err=silent\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				source := NewSource(SourceConfig{ID: "cam1", Clock: media.StartClock(),
					Log: slog.New(slog.NewTextHandler(&log, nil))})
				session, err := source.Connect("srt", "a")
				require.NoError(t, err)
				send(session, 0, 2*time.Second, false, true)
				session.(Describable).Describe("lost", 3)
				log.Reset()
				session.Close(c.reason)
				line, _, _ := strings.Cut(log.String(), "\n")
				require.Equal(t, c.want, line[strings.Index(line, "msg="):]+"\n")
				require.Equal(t, 1, strings.Count(log.String(), "publisher gone"))
			})
		})
	}
}
