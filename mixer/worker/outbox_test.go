package worker

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

var (
	camera     = &media.Track{ID: "v", Kind: media.Video, Codec: media.H264}
	microphone = &media.Track{ID: "a", Kind: media.Audio, Codec: media.AAC}
)

// drain is everything that waits, in words.
func drain(o *outbox) []string {
	var words []string
	for {
		change, m := o.take()
		if m == nil {
			return words
		}
		if change != nil {
			words = append(words, fmt.Sprintf("track %s.%s is %d", change.Source, change.Track.ID, change.Stream))
		}
		switch m := m.(type) {
		case *StreamPacket:
			words = append(words, fmt.Sprintf("%d:%s", m.Stream, m.Packet.Data))
		case *Gone:
			words = append(words, "gone "+m.Source)
		default:
			words = append(words, fmt.Sprintf("%T", m))
		}
	}
}

func picture(name string, key bool) *media.Packet {
	return &media.Packet{Track: camera, Key: key, Data: []byte(name)}
}

func sound(name string) *media.Packet { return &media.Packet{Track: microphone, Data: []byte(name)} }

func TestOutboxOrder(t *testing.T) {
	o := newOutbox()
	one, two := o.input("one"), o.input("two")
	require.Same(t, one, o.input("one"))
	one.Write(picture("before the first keyframe", false))
	one.Write(picture("I", true))
	one.Write(sound("s"))
	one.Write(picture("p", false))
	two.Write(picture("I", true))
	two.Write(picture("p", false))
	o.gone("one")
	require.NoError(t, o.control(&Start{}))
	require.Equal(t, []string{
		"*worker.Start",
		"track one.v is 0", "0:I", "track two.v is 2", "2:I",
		"track one.a is 1", "1:s", "2:p",
		"0:p", "gone one",
	}, drain(o))
	require.Empty(t, o.dropped(), "what comes before a keyframe is not lost for slowness")

	// After it is gone a publisher comes back with its next keyframe and, as
	// its encoder changed, with a new track on the same stream.
	changed := &media.Track{ID: "v", Kind: media.Video, Codec: media.H264, Width: 1}
	one.Write(picture("p", false))
	one.Write(sound("s"))
	one.Write(&media.Packet{Track: changed, Key: true, Data: []byte("J")})
	require.Equal(t, []string{"1:s", "track one.v is 0", "0:J"}, drain(o))
}

// A source that is connected again brings its whole GOP cache; the worker gets
// the rest of it only.
func TestRepeatedGOPCachePassesOnce(t *testing.T) {
	o := newOutbox()
	var cache []*media.Packet
	for i := range 6 {
		cache = append(cache, &media.Packet{Track: camera, DTS: media.Time(i / 2), Key: i == 0, Data: []byte(fmt.Sprint(i))})
		if i%2 == 1 {
			cache[i].Track = microphone
		}
	}
	for _, p := range cache[:4] {
		o.input("cam1").Write(p)
	}
	drain(o)
	again := o.input("cam1")
	for _, p := range cache {
		again.Write(p)
	}
	require.Equal(t, []string{"0:4", "1:5"}, drain(o))
	again.Write(&media.Packet{Track: camera, DTS: 1, Data: []byte("back")})
	require.Equal(t, []string{"0:back"}, drain(o), "a step back that is no replay")

	o.input("cam1")
	o.gone("cam1")
	again.Write(&media.Packet{Track: camera, DTS: 1, Key: true, Data: []byte("new publisher")})
	require.Equal(t, []string{"gone cam1", "0:new publisher"}, drain(o))
}

func TestFullInputDropsToTheNextKeyframe(t *testing.T) {
	o := newOutbox()
	in := o.input("cam1")
	in.Write(picture("I", true))
	for range maxInputPackets - 1 {
		in.Write(picture("p", false))
	}
	require.Empty(t, o.dropped())
	in.Write(picture("over", false))
	require.EqualValues(t, maxInputPackets+1, o.dropped()["cam1"])
	in.Write(picture("p", false))
	in.Write(sound("s"))
	in.Write(picture("J", true))
	in.Write(picture("q", false))
	require.EqualValues(t, maxInputPackets+2, o.dropped()["cam1"])
	require.Equal(t, []string{"track cam1.a is 1", "1:s", "track cam1.v is 0", "0:J", "0:q"}, drain(o))
}

func TestInputIsBoundedInBytes(t *testing.T) {
	o := newOutbox()
	in := o.input("cam1")
	half := make([]byte, maxInputBytes/2)
	for range 5 {
		in.Write(&media.Packet{Track: camera, Key: true, Data: half})
		require.LessOrEqual(t, in.bytes, maxInputBytes)
	}
	require.Len(t, in.queue, 1, "the newest")
	require.EqualValues(t, 4, o.dropped()["cam1"])
	in.Write(&media.Packet{Track: camera, Key: true, Data: make([]byte, maxPacketPayload+1)})
	require.Len(t, in.queue, 1)

	big := newOutbox()
	whole := big.input("cam1")
	whole.Write(&media.Packet{Track: camera, Key: true, Data: make([]byte, maxInputBytes+1)})
	require.Len(t, drain(big), 2, "one picture passes, whatever its size")
	require.Zero(t, whole.bytes)
}

func TestInputsAndStreamsAreBounded(t *testing.T) {
	o := newOutbox()
	for i := range maxInputs {
		require.NotNil(t, o.input(fmt.Sprint(i)))
	}
	require.Nil(t, o.input("one more"))
	in := o.input("0")
	for i := range 1000 {
		in.Write(&media.Packet{Track: &media.Track{ID: fmt.Sprint(i)}, Data: []byte{1}})
	}
	require.Len(t, in.streams, streamsPerInput)
	require.Len(t, in.queue, streamsPerInput)
	for range 3 * maxInputPackets {
		o.gone("0")
	}
	require.LessOrEqual(t, len(in.queue), maxInputPackets)
	for range maxControls {
		require.NoError(t, o.control(&Quit{}))
	}
	require.ErrorIs(t, o.control(&Quit{}), errOutboxFull)
}

func TestClosedOutboxTakesNothing(t *testing.T) {
	o := newOutbox()
	in := o.input("cam1")
	in.Write(picture("I", true))
	o.close()
	in.Write(picture("I", true))
	in.gone()
	require.Error(t, o.control(&Quit{}))
	require.Empty(t, drain(o))
	require.Nil(t, o.input("cam2"))
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan Message)
		ended := make(chan error, 1)
		go func() {
			for {
				_, m, err := o.next(ctx)
				if err != nil {
					ended <- err
					return
				}
				got <- m
			}
		}()
		synctest.Wait()
		o.input("cam1").Write(sound("s"))
		require.Equal(t, "s", string((<-got).(*StreamPacket).Packet.Data))
		require.NoError(t, o.control(&Quit{}))
		require.Equal(t, &Quit{}, <-got)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

func TestPatience(t *testing.T) {
	begin := time.Now()
	p := patience{limit: time.Second, last: begin, until: begin}
	tests := []struct {
		after time.Duration
		fair  bool
	}{
		{100 * time.Millisecond, true},
		{500 * time.Millisecond, true},
		{1100 * time.Millisecond, false}, // stood still for 600 ms
		{1600 * time.Millisecond, false},
		{2 * time.Second, false},
		{2100 * time.Millisecond, true},
		{60 * time.Second, false},
		{60*time.Second + 400*time.Millisecond, false},
		{60*time.Second + 800*time.Millisecond, false},
		{61 * time.Second, true},
	}
	for _, test := range tests {
		require.Equal(t, test.fair, p.judge(begin.Add(test.after)), "%v", test.after)
	}
}

// Requests for a key frame that wait count as one, and never crowd out
// commands.
func TestOutboxHoldsOneKeyFrameRequestARung(t *testing.T) {
	o := newOutbox()
	for range 2 * maxControls {
		o.key("v1")
		o.key("v2")
	}
	require.NoError(t, o.control(&Quit{}))
	for _, want := range []Message{&KeyFrame{"v1"}, &KeyFrame{"v2"}, &Quit{}} {
		_, got := o.take()
		require.Equal(t, want, got)
	}
	o.key("v1") // the next one counts again
	_, got := o.take()
	require.Equal(t, &KeyFrame{"v1"}, got)
	o.close()
	o.key("v1")
	_, got = o.take()
	require.Nil(t, got)
}
