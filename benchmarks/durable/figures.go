package durable

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"millrace/benchmarks/contest"
	"millrace/internal/media"
	"millrace/output/origin"
	"millrace/record"
)

// kill writes into a store, kills the writer at a random moment, and looks for
// what it had said is listed; again and again.
func kill(ctx context.Context, _ *input, config Config, dir string, figures map[string]float64) error {
	l, err := killLayout()
	if err != nil {
		return err
	}
	lost, promised := 0, 0
	var opening []float64
	for range config.Kills {
		parts, err := runAndKill(ctx, config, dir)
		if err != nil {
			return err
		}
		begun := time.Now()
		store, err := record.Open(record.Config{Dirs: []string{dir}})
		if err != nil {
			return err
		}
		opening = append(opening, ms(time.Since(begun)))
		for _, p := range parts {
			promised += len(l.Renditions)
			for _, r := range l.Renditions {
				g, err := store.Edge().Find(r.ID, p.segment)
				if err != nil || g.Len() <= p.part || g.Check(p.part, p.part+1) != nil {
					lost++
				}
			}
		}
		if err := store.Close(); err != nil {
			return err
		}
	}
	figures["killed"], figures["killedListedParts"], figures["killedLostParts"] = float64(config.Kills), float64(promised), float64(lost)
	figures["killedReopenMedianMs"] = contest.Median(opening)
	return nil
}

type part struct {
	segment int64
	part    int
}

func runAndKill(ctx context.Context, config Config, dir string) (parts []part, err error) {
	child := exec.CommandContext(ctx, config.Worker[0], append(config.Worker[1:], "0")...)
	child.Env = append(os.Environ(), killDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var p part
		if _, err := fmt.Sscan(lines.Text(), &p.segment, &p.part); err != nil {
			break // the line was cut off
		}
		parts = append(parts, p)
		if timer == nil {
			timer = time.AfterFunc(time.Duration(rand.IntN(200))*time.Millisecond, func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait() // it was killed
	if timer == nil {
		return nil, errors.New("the writer listed nothing")
	}
	return parts, nil
}

// reopen opens a store of hours, and sees how much of it is not media.
func reopen(ctx context.Context, in *input, config Config, dir string, figures map[string]float64) error {
	l, err := killLayout()
	if err != nil {
		return err
	}
	store := record.Config{Dirs: []string{dir}}
	segments := int64(config.History / l.Grid.SegmentDuration())
	err = withStore(ctx, store, func(ctx context.Context, s *record.Store) error {
		if err := s.SetLayout(l); err != nil {
			return err
		}
		for k := int64(inputFirst); k < inputFirst+segments; k++ {
			for part := range l.Grid.Parts() {
				for _, r := range l.Renditions {
					s.Append(chunkOf(r, k, part, 40))
				}
			}
			if err := await(ctx, s, l.Renditions, k, l.Grid.Parts()-1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var took []float64
	for range 5 {
		begun := time.Now()
		s, err := record.Open(store)
		if err != nil {
			return err
		}
		took = append(took, ms(time.Since(begun)))
		if err := s.Close(); err != nil {
			return err
		}
	}
	figures["reopenHours"], figures["reopenMs"] = config.History.Hours(), contest.Median(took)
	amplified, err := in.amplification()
	figures["bytesBeyondMediaPercent"] = 100 * (amplified - 1)
	return err
}

// amplification is what the input's blocks take beside their payload.
func (in *input) amplification() (float64, error) {
	size := func(folder string) (sum float64, err error) {
		err = filepath.WalkDir(filepath.Join(in.folder, folder), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				sum += float64(info.Size())
			}
			return err
		})
		return sum, err
	}
	blocks, err := size("store")
	if err != nil {
		return 0, err
	}
	media, err := size("files")
	return blocks / media, err
}

// load writes many channels in real time beside readers of what is stored.
func load(ctx context.Context, _ *input, config Config, dir string, figures map[string]float64) error {
	l, err := killLayout()
	if err != nil {
		return err
	}
	clock := media.StartClock()
	handler := origin.New(origin.Config{Clock: clock, Log: slog.New(slog.DiscardHandler)})
	var channels []*loaded
	for n := range config.Channels {
		c := &loaded{id: fmt.Sprintf("c%d", n), layout: l}
		if c.store, err = record.Open(record.Config{Dirs: []string{filepath.Join(dir, c.id)}}); err != nil {
			return err
		}
		if err := c.store.SetLayout(l); err != nil {
			return err
		}
		handler.Add(c.id, origin.Channel{Store: c.store})
		channels = append(channels, c)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := origin.NewServer(handler, slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	all.Go(func() { _ = server.Serve(listener) }) // until it is closed
	run, stop := context.WithTimeout(ctx, config.Length)
	defer stop()
	for _, c := range channels {
		all.Go(func() { _ = c.store.Run(run) })
		all.Go(func() { c.write(run, clock) })
	}
	var read, refused counter
	for n := range config.Readers {
		all.Go(func() {
			readOld(run, "http://"+listener.Addr().String(), channels[n%len(channels)], rand.New(rand.NewPCG(1, uint64(n))), &read, &refused)
		})
	}
	<-run.Done()
	_ = server.Close()
	all.Wait()
	var commits []float64
	for _, c := range channels {
		commits = append(commits, c.commits...)
		err = errors.Join(err, c.store.Close())
	}
	slices.Sort(commits)
	if len(commits) > 0 {
		figures["loadedCommitMedianMs"], figures["loadedCommitP99Ms"] = contest.Median(commits), commits[len(commits)*99/100]
	}
	figures["loadedParts"], figures["readersMBPerSecond"] = float64(len(commits)), read.sum()/1e6/config.Length.Seconds()
	figures["readersRefused"] = refused.sum()
	return err
}

// loaded is a channel of a load.
type loaded struct {
	id      string
	layout  record.Layout
	store   *record.Store
	commits []float64 // ms from the last chunk of a part to its being listed
}

func (c *loaded) write(ctx context.Context, clock *media.Clock) {
	grid := c.layout.Grid
	for k := grid.SegmentAfter(clock.Now()); ; k++ {
		for part := range grid.Parts() {
			if clock.SleepUntil(ctx, grid.Rate.At(grid.PartStart(k, part)+grid.PartFrames)) != nil {
				return
			}
			for _, r := range c.layout.Renditions {
				c.store.Append(chunkOf(r, k, part, partBytes(r)))
			}
			begun := time.Now()
			if await(ctx, c.store, c.layout.Renditions, k, part) != nil {
				return
			}
			c.commits = append(c.commits, ms(time.Since(begun)))
		}
	}
}

// readOld reads a stored segment every segment's length, each time another one.
func readOld(ctx context.Context, base string, c *loaded, rnd *rand.Rand, read, refused *counter) {
	client := http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	pace := c.layout.Grid.SegmentDuration()
	wait := time.Duration(rnd.Int64N(int64(pace)))
	for {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = pace
		r := c.layout.Renditions[1]
		listing := c.store.Edge().Listing(r.ID)
		if listing == nil || listing.Last() < listing.First() {
			continue
		}
		k := listing.First() + rnd.Int64N(listing.Last()-listing.First()+1)
		answer, err := client.Get(fmt.Sprintf("%s/live/%s/%s/%d.m4s", base, c.id, r.ID, k))
		if err != nil {
			if ctx.Err() == nil {
				refused.add(1)
			}
			continue
		}
		n, err := io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		read.add(float64(n))
		if ctx.Err() == nil && (err != nil || answer.StatusCode != http.StatusOK) {
			refused.add(1)
		}
	}
}

// counter is a sum that many goroutines add to.
type counter struct {
	mu    sync.Mutex
	total float64
}

func (c *counter) add(n float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total += n
}

func (c *counter) sum() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
