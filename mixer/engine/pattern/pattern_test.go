package pattern

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// shrink is a plain area average by whole factors.
func shrink(p Picture, factor int) Picture {
	out := NewPicture(p.Width/factor&^1, p.Height/factor&^1)
	for y := range out.Height {
		for x := range out.Width {
			sum := 0
			for dy := range factor {
				for dx := range factor {
					sum += int(p.Y[(y*factor+dy)*p.YStride+x*factor+dx])
				}
			}
			out.Y[y*out.YStride+x] = byte(sum / (factor * factor))
		}
	}
	return out
}

func TestCounterSurvivesScalingAndNoise(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	moving := NewMoving(0, "Test 1", media.Rate{Num: 30, Den: 1})
	full := NewPicture(Width, Height)
	moving.Begin(full)
	for _, frame := range []int64{1, 53_855_280_000, 0xffff_fffe, 1<<32 + 1, 0x5555_5555, 0xaaaa_aaaa} {
		moving.Draw(full, frame)
		for _, factor := range []int{1, 2, 3, 4, 6} {
			small := shrink(full, factor)
			for i := range small.Y {
				small.Y[i] = byte(min(max(int(small.Y[i])+noise.IntN(41)-20, 0), 255))
			}
			got, ok := ReadCounter(small)
			require.True(t, ok, "frame %d at 1/%d", frame, factor)
			require.Equal(t, uint32(frame), got, "frame %d at 1/%d", frame, factor)
		}
	}
}

func TestCounterInACellOfTheCanvas(t *testing.T) {
	canvas := NewPicture(426, 240)
	for i, cell := range []image.Rectangle{
		image.Rect(0, 0, 212, 120), image.Rect(212, 0, 426, 120),
		image.Rect(0, 120, 212, 240), image.Rect(212, 120, 426, 240),
	} {
		DrawCounter(canvas.Sub(cell), int64(1000+i))
		got, ok := ReadCounter(canvas.Sub(cell))
		require.True(t, ok)
		require.Equal(t, uint32(1000+i), got)
	}
}

func TestNoCounterInASlate(t *testing.T) {
	slate := NewPicture(640, 360)
	DrawSlate(slate, "Camera 1", "no signal")
	for _, shade := range []float64{0, 0.5, 1} {
		_, ok := ReadCounter(slate)
		require.False(t, ok)
		slate.Fill(image.Rect(0, 0, 640, 15), RGB(shade, shade, shade))
		_, ok = ReadCounter(slate)
		require.False(t, ok)
	}
	_, ok := ReadCounter(Picture{})
	require.False(t, ok)
}

func TestEverySourceLooksDifferentAndMoves(t *testing.T) {
	rate := media.Rate{Num: 30, Den: 1}
	pictures := make([]Picture, 8)
	for i := range pictures {
		m := NewMoving(i, "Test", rate)
		pictures[i] = NewPicture(Width, Height)
		m.Begin(pictures[i])
		m.Draw(pictures[i], 100)
		before := slices.Clone(pictures[i].Sub(bandArea).Y[:Width])
		m.Draw(pictures[i], 117)
		after := pictures[i].Sub(bandArea).Y[:Width]
		require.NotEqual(t, before, after, "pattern %d stands still", i)
		for j := range i {
			require.NotEqual(t, pictures[j].U[200*pictures[j].CStride], pictures[i].U[200*pictures[i].CStride], "%d and %d", i, j)
		}
	}
}

func TestDrawingDependsOnTheFrameNumberOnly(t *testing.T) {
	m := NewMoving(2, "Test 3", media.Rate{Num: 30000, Den: 1001})
	once, often := NewPicture(Width, Height), NewPicture(Width, Height)
	m.Begin(once)
	m.Begin(often)
	start := m.rate.Index(media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)))
	for n := start - 200; n <= start; n++ {
		m.Draw(often, n)
	}
	m.Draw(once, start)
	require.Equal(t, once, often)
	require.Equal(t, "11:59:59.29", m.timecode(start))
}

func TestTimecodeAtContractRates(t *testing.T) {
	noon := media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	for text, want := range map[string]string{"25": "12:00:00.00", "60": "12:00:00.00", "24": "12:00:00.00"} {
		rate, err := media.ParseRate(text)
		require.NoError(t, err)
		require.Equal(t, want, NewMoving(0, "", rate).timecode(rate.Index(noon)), text)
		require.True(t, FlashAt(rate.At(rate.Index(noon))))
		require.False(t, FlashAt(rate.At(rate.Index(noon)-1)))
	}
}

func TestTextFitsOrIsShortened(t *testing.T) {
	for _, text := range []string{"", "A", "CAMERA 1", "Ärger mit Ümläuten", string(make([]rune, 500))} {
		for _, size := range []image.Point{{2, 2}, {16, 8}, {64, 36}, {640, 360}} {
			p := NewPicture(size.X, size.Y)
			DrawSlate(p, text, text)
			p.TextCentered(image.Rect(0, 0, size.X, size.Y), 10, text, White)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	m := NewMoving(0, "Test 1", media.Rate{Num: 30, Den: 1})
	p := NewPicture(Width, Height)
	m.Begin(p)
	for n := int64(53_855_280_000); b.Loop(); n++ {
		m.Draw(p, n)
	}
}
