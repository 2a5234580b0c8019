package whep

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/internal/rtc"
)

// stage is a program whose goroutine is the test's.
type stage struct {
	*Program
	ladder *ladder
	keys   []string
}

func newStage() *stage {
	s := &stage{ladder: newLadder()}
	s.Program = New(Config{Clock: media.StartClock()}).NewProgram(ProgramConfig{
		Resource: "main", Rungs: s.ladder.rungs, Audio: soundTrack, RequestKey: func(rung string) bool { s.keys = append(s.keys, rung); return true },
	})
	s.now = time.Unix(1000, 0)
	return s
}

// Write takes packets at once.
func (s *stage) Write(p *media.Packet) { s.hand(p) }

func (s *stage) tick(keys ...string) {
	s.ladder.tick(s, keys...)
	s.now = s.now.Add(time.Second / 30)
}

// seat is a viewer whose goroutine is the test's.
func (s *stage) seat(target int) *viewer {
	v := &viewer{program: s.Program, rung: noRung, queue: make(chan *frame, queueLength), gone: make(chan struct{}), video: &sender{}, audio: &sender{}}
	v.target.Store(int32(target))
	s.join(v)
	return v
}

// pictures takes what waits for a viewer, without sound.
func (v *viewer) pictures() (list []*frame) {
	for {
		select {
		case f := <-v.queue:
			if f.rung != soundRung {
				list = append(list, f)
			}
		default:
			return list
		}
	}
}

func TestViewersBeginAndSwitchAtKeyframes(t *testing.T) {
	s := newStage()
	s.tick()
	v := s.seat(2)
	for range 20 {
		s.tick()
	}
	require.Empty(t, v.pictures(), "no keyframe yet")
	require.Equal(t, []string{"v720"}, s.keys, "it was asked for, of the rung that is wanted, 400 ms after the last")
	s.tick("v720")
	got := v.pictures()
	require.Len(t, got, 1)
	require.True(t, got[0].key)
	require.Equal(t, 2, got[0].rung, "the highest")

	v.target.Store(0)
	s.tick()
	require.Equal(t, 2, v.pictures()[0].rung, "until there is a keyframe of the other")
	s.tick("v240")
	got = v.pictures()
	require.Len(t, got, 2, "the rungs of a tick come from the highest on")
	require.Equal(t, []int{2, 0}, []int{got[0].rung, got[1].rung})
	require.Equal(t, got[0].timestamp, got[1].timestamp)
	stamps := &sender{}
	require.Equal(t, got[0].timestamp, stamps.stamp(got[0].timestamp))
	require.Equal(t, got[0].timestamp+1, stamps.stamp(got[1].timestamp), "no two pictures have the same timestamp")
	s.tick()
	got = v.pictures()
	require.Len(t, got, 1)
	require.Equal(t, 0, got[0].rung)
	require.Equal(t, uint64(1), s.server.counters.switches.Load())
}

func TestF37SlowViewersHurtOnlyThemselves(t *testing.T) {
	s := newStage()
	slow, quick := s.seat(0), s.seat(0)
	var seen int
	s.tick(s.rungs[0].ID)
	seen += len(quick.pictures())
	s.keys = nil
	for range 95 {
		s.tick()
		seen += len(quick.pictures())
	}
	require.Equal(t, 96, seen)
	require.True(t, slow.skip)
	waiting := slow.pictures()
	require.Less(t, len(waiting), queueLength)
	for range 10 {
		s.tick()
	}
	got := slow.pictures()
	require.True(t, got[0].key, "it goes on at a keyframe")
	require.Empty(t, s.keys, "that nobody else had to pay for")
}

// However many viewers ask for keyframes, and although each is given, an encoder is
// asked once a second.
func TestF37AnEncoderIsAskedOnceASecond(t *testing.T) {
	s := newStage()
	viewers := []*viewer{s.seat(0), s.seat(0), s.seat(0)}
	s.tick(s.rungs[0].ID)
	s.keys = nil
	var given int
	for range 30 * 10 {
		for _, v := range viewers {
			v.key.Store(true)
		}
		keys := s.keys[given:]
		given = len(s.keys)
		s.tick(keys...)
		for _, v := range viewers {
			v.pictures()
		}
	}
	require.InDelta(t, 10, len(s.keys), 1)
}

func TestPayloadsAreShared(t *testing.T) {
	s := newStage()
	first, second := s.seat(1), s.seat(1)
	s.tick()
	require.Same(t, first.pictures()[0], second.pictures()[0])
}

func TestLostPacketsOfTheProgram(t *testing.T) {
	s := newStage()
	v := s.seat(0)
	s.tick()
	s.missed.Store(true)
	s.tick()
	require.Len(t, v.pictures(), 1, "nothing after the gap")
	s.tick("v240")
	require.Len(t, v.pictures(), 1, "until the keyframe")
}

func TestAnotherWorkerBringsAnotherTrack(t *testing.T) {
	s := newStage()
	v := s.seat(0)
	s.tick()
	changed := *videoTrack("v240")
	changed.Config = append([]byte{1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4}, 0x67, 1, 2, 3, 1, 0, 2, 0x68, 9)
	s.hand(&media.Packet{Track: &changed, Key: true, Data: picture(1, 0, true)})
	got := v.pictures()[1]
	require.Equal(t, append([]byte{stapA | 0x60, 0, 4, 0x67, 1, 2, 3, 0, 2}, 0x68, 9), got.payloads[0])
}

func TestChooseVideo(t *testing.T) {
	p := newStage().Program
	codec := func(payloadType uint8, format string) rtc.Codec {
		return rtc.Codec{Name: "H264", PayloadType: payloadType, ClockRate: videoRate, Format: format}
	}
	const mode = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
	cases := []struct {
		name    string
		offered []rtc.Codec
		want    uint8
		format  string
	}{
		{"Chrome", []rtc.Codec{codec(1, mode+"42001f"), codec(2, mode+"42e01f"), codec(3, mode+"64001f"), codec(4, "packetization-mode=0;profile-level-id=64001f")}, 3, mode + "64001f"},
		{"another level", []rtc.Codec{codec(1, mode+"42e01f"), codec(2, mode+"640034")}, 2, mode + "64001f"},
		{"Safari, constrained", []rtc.Codec{codec(1, mode+"42e01f"), codec(2, mode+"640c1f")}, 2, mode + "640c1f"},
		{"Firefox, Baseline only", []rtc.Codec{codec(1, "packetization-mode=0;profile-level-id=42e01f"), codec(2, mode+"42e01f")}, 2, mode + "42e01f"},
		{"single NAL units only", []rtc.Codec{codec(1, "profile-level-id=42e01f")}, 0, ""},
		{"nothing", nil, 0, ""},
	}
	for _, c := range cases {
		got, ok := p.chooseVideo(c.offered)
		require.Equal(t, c.want != 0, ok, c.name)
		require.Equal(t, c.want, got.PayloadType, c.name)
		require.Equal(t, c.format, got.Format, c.name)
	}
}
