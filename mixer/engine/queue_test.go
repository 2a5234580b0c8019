package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// gop is a run of packets, one every 40 ms from begin on, keys every n.
func gop(track *media.Track, begin media.Time, count, n, size int) (packets []*media.Packet) {
	for i := range count {
		pts := begin.Add(time.Duration(i) * 40 * time.Millisecond)
		packets = append(packets, &media.Packet{Track: track, PTS: pts, DTS: pts, Key: i%n == 0, Data: make([]byte, size)})
	}
	return packets
}

func TestQueue(t *testing.T) {
	video, other := &media.Track{Kind: media.Video}, &media.Track{Kind: media.Video}
	const begin = media.Time(time.Hour)
	second := begin.Add(time.Second)
	tests := []struct {
		name    string
		put     []*media.Packet
		now     media.Time
		first   media.Time // of what comes out
		left    int
		dropped uint64
	}{
		{"in order", gop(video, begin, 50, 25, 10), begin, begin, 50, 0},
		{"nothing before a keyframe", gop(video, begin, 50, 25, 10)[5:], begin, second, 25, 20},
		{"a new track begins with a keyframe", append(gop(video, begin, 10, 25, 10), gop(other, begin, 50, 25, 10)[1:]...), begin, begin, 35, 24},
		{"one long GOP of the past is decoded whole", gop(video, begin, 250, 250, 10), begin.Add(10 * time.Second), begin, 250, 0},
		{"a decoder that lags skips to the newest keyframe that is due", gop(video, begin, 75, 25, 10), begin.Add(1900 * time.Millisecond), second, 50, 25},
		{"one that lags a little does not", gop(video, begin, 75, 25, 10), begin.Add(400 * time.Millisecond), begin, 75, 0},
		{"too many bytes: the newest GOP", gop(video, begin, 50, 25, queueBytes/40), begin, second, 25, 25},
		{"too many packets", gop(video, begin, queuePackets+30, 25, 1), begin, begin.Add(81 * time.Second), 53, queuePackets + 30 - 53},
		{"too many packets without a keyframe", gop(video, begin, queuePackets+30, 1<<20, 1), begin, 0, 0, queuePackets + 30},
	}
	for _, test := range tests {
		q := newQueue()
		for _, p := range test.put {
			q.put(p)
		}
		var first media.Time
		count := 0
		for p, _ := q.next(test.now); p != nil; p, _ = q.next(test.now) {
			if count == 0 {
				first = p.PTS
			}
			count++
		}
		require.Equal(t, test.first, first, test.name)
		require.Equal(t, test.left, count, test.name)
		require.Equal(t, test.dropped, q.drops(), test.name)
		packets, size := q.held()
		require.Zero(t, packets+size, test.name)
	}
}

func TestQueueEnds(t *testing.T) {
	q := newQueue()
	track := &media.Track{Kind: media.Video}
	now := func() media.Time { return 0 }
	for _, p := range gop(track, 0, 2, 2, 1) {
		q.put(p)
	}
	q.end()
	for _, want := range []bool{true, true, false} {
		p, err := q.take(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, want, p != nil)
	}
	q.put(gop(track, 0, 2, 2, 1)[1])
	require.Equal(t, uint64(1), q.drops(), "a new publisher begins with a keyframe")
}
