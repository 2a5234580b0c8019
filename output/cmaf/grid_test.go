package cmaf

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

func TestGridOfContractRates(t *testing.T) {
	tests := []struct {
		rate             string
		part, segment    int64
		target           int
		timescale, ticks int64
		videoTarget      int64 // microseconds
	}{
		{"24000/1001", 5, 80, 3, 24000, 1001, 208542},
		{"24", 5, 80, 3, 24000, 1000, 208334},
		{"25", 5, 80, 3, 25000, 1000, 200000},
		{"30000/1001", 6, 96, 3, 30000, 1001, 200200},
		{"30", 6, 96, 3, 30000, 1000, 200000},
		{"50", 10, 160, 3, 50000, 1000, 200000},
		{"60000/1001", 12, 192, 3, 60000, 1001, 200200},
		{"60", 12, 192, 3, 60000, 1000, 200000},
	}
	for _, test := range tests {
		g := gridOf(t, test.rate)
		require.Equal(t, test.part, g.PartFrames, test.rate)
		require.Equal(t, test.segment, g.SegmentFrames, test.rate)
		require.Equal(t, 8*test.part, g.GOPFrames(), test.rate)
		require.Equal(t, 16, g.Parts(), test.rate)
		require.Equal(t, test.target, g.TargetDuration(), test.rate)
		require.Equal(t, test.timescale, int64(g.Timescale()), test.rate)
		require.Equal(t, test.ticks, g.FrameTicks(), test.rate)
		video, audio := rendition(t, g, videoTrack(t, "v")), rendition(t, g, audioTrack(t, "a"))
		require.Equal(t, test.videoTarget, video.partTarget(), test.rate)
		require.Equal(t, int64(213_334), audio.partTarget(), test.rate)
		require.Equal(t, int64(640_002), PartHoldBack([]*Rendition{video, audio}), test.rate)
	}
}

func TestGridFollowsTime(t *testing.T) {
	for _, text := range contractRates {
		g := gridOf(t, text)
		first := g.SegmentAt(noon)
		for k := first; k < first+1000; k++ {
			at := g.SegmentTime(k)
			require.Equal(t, k, g.SegmentAt(at), text)
			require.Equal(t, k-1, g.SegmentAt(at-1), text)
			require.Equal(t, k, g.SegmentAfter(at), text)
			require.Equal(t, k, g.SegmentAfter(at-1), text)
			require.Equal(t, k+1, g.SegmentAfter(at+1), text)
		}
	}
}

func TestSegmentOfFrame(t *testing.T) {
	g := gridOf(t, "30")
	for _, test := range []struct {
		frame, k int64
		part     int
	}{{0, 0, 0}, {5, 0, 0}, {6, 0, 1}, {95, 0, 15}, {96, 1, 0}, {-1, -1, 15}, {-96, -1, 0}, {-97, -2, 15}} {
		k, part := g.Segment(test.frame)
		require.Equal(t, test.k, k, "frame %d", test.frame)
		require.Equal(t, test.part, part, "frame %d", test.frame)
	}
}

// An audio access unit belongs to the part in which it starts, in exact
// arithmetic; a part holds 9 or 10 of them.
func TestAccessUnitsOfParts(t *testing.T) {
	for _, text := range contractRates {
		g := gridOf(t, text)
		r := rendition(t, g, audioTrack(t, "audio"))
		start := g.SegmentAt(noon)
		for k := start; k < start+200; k++ {
			require.Equal(t, r.FirstUnit(k+1, 0), r.FirstUnit(k, g.Parts()))
			for part := range g.Parts() {
				from, to := r.FirstUnit(k, part), r.FirstUnit(k, part+1)
				require.Contains(t, []int64{9, 10}, to-from, text)
				require.False(t, unitBeforeFrame(g, from, g.PartStart(k, part)), text)
				require.True(t, unitBeforeFrame(g, from-1, g.PartStart(k, part)), text)
				for unit := from; unit < to; unit++ {
					gotSegment, gotPart := r.Locate(unit)
					require.Equal(t, [2]int64{k, int64(part)}, [2]int64{gotSegment, int64(gotPart)}, text)
					require.Equal(t, unit, r.Unit(media.TimeOfTicks(unit*1024, 48000)), text)
				}
			}
		}
	}
}

// unitBeforeFrame compares unit*1024/48000 with frame*Den/Num without bounds.
func unitBeforeFrame(g Grid, unit, frame int64) bool {
	left := new(big.Int).Mul(big.NewInt(unit*1024), big.NewInt(g.Rate.Num))
	right := new(big.Int).Mul(big.NewInt(frame), big.NewInt(g.Rate.Den*48000))
	return left.Cmp(right) < 0
}

func TestSpanCoversTime(t *testing.T) {
	for _, text := range contractRates {
		g := gridOf(t, text)
		for _, r := range []*Rendition{rendition(t, g, videoTrack(t, "v")), rendition(t, g, audioTrack(t, "a"))} {
			k := g.SegmentAt(noon)
			start, duration := r.Span(k)
			next, _ := r.Span(k + 1)
			require.Equal(t, next, start+duration)
			offset := r.Time(start).Sub(g.SegmentTime(k))
			require.GreaterOrEqual(t, offset.Nanoseconds(), int64(-1))
			require.Less(t, offset.Nanoseconds(), int64(21_333_334), "at most one access unit late")
		}
	}
}
