package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"
)

// recorder is a player that keeps everything: it follows a rendition by
// blocking reloads and fetches each segment when it is listed.
type recorder struct {
	t         *testing.T
	playlist  string // URL
	rendition string

	mu       sync.Mutex
	initURI  string
	init     []byte
	segments []recorded
	faults   []string // breaks of the rules that a player relies on

	cancel context.CancelFunc
	done   chan struct{}
}

// recorded is one whole segment.
type recorded struct {
	number int64
	data   []byte
}

// record follows a rendition from the live edge until stop.
func (a *appliance) record(channel, rendition string) *recorder {
	a.t.Helper()
	ctx, cancel := context.WithCancel(a.t.Context())
	r := &recorder{
		t: a.t, rendition: rendition, playlist: a.mediaURL("/live/" + channel + "/" + rendition + "/index.m3u8"),
		cancel: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(r.done)
		r.follow(ctx)
	}()
	a.t.Cleanup(func() { r.cancel(); <-r.done })
	return r
}

func (r *recorder) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, r.rendition+": "+fmt.Sprintf(format, args...))
}

// stop ends the recording and holds it to what no viewer may ever see broken:
// one init section, no gap, no discontinuity, decode times without a break.
func (r *recorder) stop() {
	r.t.Helper()
	r.cancel()
	<-r.done
	require.Empty(r.t, r.faults)
	require.NotEmpty(r.t, r.segments, "%s: nothing was recorded", r.rendition)
	r.timing()
}

// edge is where the recording is.
func (r *recorder) edge() (first, last int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.segments) == 0 {
		return 0, -1
	}
	return r.segments[0].number, r.segments[len(r.segments)-1].number
}

// waitFor waits until the segment is recorded and gives where the recording
// is then.
func (r *recorder) waitFor(segment int64) (first, last int64) {
	r.t.Helper()
	eventually(r.t, 30*time.Second, fmt.Sprintf("%s: segment %d is recorded", r.rendition, segment), func() bool {
		first, last = r.edge()
		return last >= segment
	})
	return first, last
}

func (r *recorder) follow(ctx context.Context) {
	next := int64(-1)
	for ctx.Err() == nil {
		address := r.playlist
		if next >= 0 {
			address += "?_HLS_msn=" + strconv.FormatInt(next, 10)
		}
		status, text, err := get(ctx, address)
		if err != nil {
			if ctx.Err() == nil {
				r.fault("playlist: %v", err)
			}
			return
		}
		if status == http.StatusServiceUnavailable {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if status != http.StatusOK {
			r.fault("playlist: status %d", status)
			return
		}
		list := r.read(string(text))
		if next < 0 && len(list) > 0 {
			list = list[len(list)-1:]
		}
		for _, entry := range list {
			if next >= 0 && entry.number < next {
				continue
			}
			if next >= 0 && entry.number != next {
				r.fault("segment %d follows %d", entry.number, next-1)
			}
			if !r.fetch(ctx, entry) {
				return
			}
			next = entry.number + 1
		}
	}
}

// listed is one whole segment of a playlist.
type listed struct {
	number int64
	uri    string
}

// read takes a media playlist apart.
func (r *recorder) read(text string) []listed {
	var list []listed
	number := int64(0)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#EXT-X-MEDIA-SEQUENCE:"):
			number, _ = strconv.ParseInt(line[len("#EXT-X-MEDIA-SEQUENCE:"):], 10, 64)
		case strings.HasPrefix(line, "#EXT-X-DISCONTINUITY") && !strings.HasPrefix(line, "#EXT-X-DISCONTINUITY-SEQUENCE:0"):
			r.fault("discontinuity: %s", line)
		case line == "#EXT-X-GAP":
			r.fault("gap at %d", number)
		case strings.HasPrefix(line, "#EXT-X-MAP:"):
			r.takeInit(line)
		case line != "" && !strings.HasPrefix(line, "#"):
			list = append(list, listed{number, line})
			number++
		}
	}
	return list
}

// takeInit fetches the init section once and sees that it stays the same.
func (r *recorder) takeInit(line string) {
	_, uri, _ := strings.Cut(line, `URI="`)
	uri, _, _ = strings.Cut(uri, `"`)
	r.mu.Lock()
	known := r.initURI
	r.mu.Unlock()
	if known == uri {
		return
	}
	if known != "" {
		r.fault("the init section changed from %s to %s", known, uri)
	}
	_, data, err := get(context.Background(), r.resolve(uri))
	if err != nil {
		r.fault("init section: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.initURI, r.init = uri, data
}

func (r *recorder) fetch(ctx context.Context, entry listed) bool {
	status, data, err := get(ctx, r.resolve(entry.uri))
	if ctx.Err() != nil {
		return false
	}
	if err != nil || status != http.StatusOK {
		r.fault("segment %d: status %d, %v", entry.number, status, err)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.segments = append(r.segments, recorded{entry.number, data})
	return true
}

func (r *recorder) resolve(uri string) string {
	base, err := url.Parse(r.playlist)
	if err != nil {
		return uri
	}
	to, err := base.Parse(uri)
	if err != nil {
		return uri
	}
	return to.String()
}

func get(ctx context.Context, address string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, data, err
}

// file is the recording as one fragmented MP4.
func (r *recorder) file() []byte {
	whole := bytes.Clone(r.init)
	for _, segment := range r.segments {
		whole = append(whole, segment.data...)
	}
	return whole
}

// timing is the decode time of the first sample and the samples that follow
// it: all of one duration, none missing.
func (r *recorder) timing() (start, step int64, samples int) {
	r.t.Helper()
	for _, c := range r.chunks() {
		if samples == 0 {
			start, step = c.start, c.step
		}
		require.Equal(r.t, step, c.step, "%s: sample duration at %d", r.rendition, c.start)
		require.Equal(r.t, start+int64(samples)*step, c.start, "%s: decode time after %d samples", r.rendition, samples)
		samples += c.samples
	}
	return start, step, samples
}

// chunk is one part as its boxes tell.
type chunk struct {
	start, step int64 // decode time of the first sample and duration of each, in the track's timescale
	samples     int
	filler      bool // brand slat
	key         bool // begins with a sync sample
}

// chunks takes the recording apart.
func (r *recorder) chunks() []chunk {
	r.t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(r.file()))
	require.NoError(r.t, err)
	var all []chunk
	for _, segment := range file.Segments {
		require.NotNil(r.t, segment.Styp, r.rendition)
		require.Len(r.t, segment.Fragments, 1, "%s: a chunk has its styp", r.rendition)
		traf := segment.Fragments[0].Moof.Traf
		traf.Trun.AddSampleDefaultValues(traf.Tfhd, file.Moov.Mvex.Trex)
		samples := traf.Trun.Samples
		require.NotEmpty(r.t, samples, r.rendition)
		for _, sample := range samples {
			require.Equal(r.t, samples[0].Dur, sample.Dur, r.rendition)
		}
		all = append(all, chunk{
			start: int64(traf.Tfdt.BaseMediaDecodeTime()), step: int64(samples[0].Dur), samples: len(samples),
			filler: slices.Contains(segment.Styp.CompatibleBrands(), "slat"), key: samples[0].IsSync(),
		})
	}
	return all
}
