package clipexact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/benchmarks/contest"
	"millrace/benchmarks/node"
)

// measurement is what the clips of an appliance cost.
type measurement struct {
	node   *node.Node
	input  *input
	random *rand.Rand

	ready, kept, cpu []float64 // ms of each clip: until it was ready, until it was downloaded, of CPU time
}

// round makes clips one after the other and gives the median time to be ready.
func (m *measurement) round(ctx context.Context, clips int) (float64, error) {
	before := len(m.ready)
	for range clips {
		if err := m.clip(ctx); err != nil {
			return 0, fmt.Errorf("make clip: %w", err)
		}
	}
	return contest.Median(m.ready[before:]), nil
}

// clip makes one that begins anywhere in a group of pictures but with it.
func (m *measurement) clip(ctx context.Context) error {
	in := m.input
	first := in.first + in.gop + 1 + m.random.Int64N(in.gop-1)
	stamp := func(frame int64) string { return in.rate.At(frame).UTC().Format("2006-01-02T15:04:05.000Z") }
	var made struct{ ID, State, Reason string }
	begun, spent := time.Now(), m.node.CPU()
	err := m.node.Call(ctx, http.MethodPost, "/v1/clips", map[string]any{
		"channel": channel, "start": stamp(first), "end": stamp(first + in.length), "mode": "exact",
	}, &made)
	for err == nil && made.State == "pending" {
		time.Sleep(10 * time.Millisecond)
		err = m.node.Call(ctx, http.MethodGet, "/v1/clips/"+made.ID, nil, &made)
	}
	if err == nil && made.State != "ready" {
		err = fmt.Errorf("it is %s: %s", made.State, made.Reason)
	}
	if err != nil {
		return err
	}
	ready, cpu := time.Since(begun), m.node.CPU()-spent
	if err := m.download(ctx, made.ID); err != nil {
		return err
	}
	m.kept = append(m.kept, ms(time.Since(begun)))
	m.ready, m.cpu = append(m.ready, ms(ready)), append(m.cpu, ms(cpu))
	return m.node.Call(ctx, http.MethodDelete, "/v1/clips/"+made.ID, nil, nil)
}

func (m *measurement) download(ctx context.Context, id string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.node.Media+"/clips/"+id+".mp4", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || n == 0) {
		err = errors.New("download: " + answer.Status)
	}
	return err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (m *measurement) figures() map[string]float64 {
	return map[string]float64{
		"clips": float64(len(m.ready)), "readyMedianMs": contest.Median(m.ready), "readyMostMs": slices.Max(m.ready),
		"downloadedMedianMs": contest.Median(m.kept), "cpuMedianMs": contest.Median(m.cpu), "cpuMostMs": slices.Max(m.cpu),
	}
}

// cutWithFFmpeg is the peer: how long the best rung alone takes.
func (in *input) cutWithFFmpeg(ctx context.Context, dir string) (float64, error) {
	seconds := func(frames int64) string {
		return fmt.Sprintf("%.3f", float64(in.rate.At(frames))/float64(time.Second))
	}
	arguments := strings.Fields("-hide_banner -loglevel error -nostdin -y -ss " + seconds(in.gop+7) + " -i")
	arguments = append(arguments, in.file)
	arguments = append(arguments, strings.Fields("-t "+seconds(in.length)+" -c:v libx264 -preset veryfast -b:v "+fmt.Sprint(in.rung.Bitrate))...)
	begun := time.Now()
	_, err := contest.CPU(ctx, "ffmpeg", append(arguments, filepath.Join(dir, "cut.mp4"))...)
	return ms(time.Since(begun)), err
}
