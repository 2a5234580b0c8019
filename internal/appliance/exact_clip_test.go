package appliance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/gpu"
	"millrace/internal/child"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/engine/pattern"
	"millrace/output/cmaf"
	"millrace/output/origin"
	"millrace/record"
)

// clickEvery is how far apart the clicks in the sound of a footage are, in
// samples, all multiples of it since the epoch.
const clickEvery = 12_000

// footage is a stored minute of a channel as a worker would have made it: every
// picture carries its frame number, the sound clicks on the timeline.
type footage struct {
	t       testing.TB
	rate    media.Rate
	grid    cmaf.Grid
	size    gpu.Size
	store   *record.Store
	handler *origin.Handler
	server  *httptest.Server
	first   int64 // frame
	clips   map[string]origin.Clip

	recordings map[string]origin.Recording
}

// newFootage stores whole segments of a channel "main". Keys are frames, counted
// from the first, that somebody asked to be IDRs.
func newFootage(t testing.TB, rate string, size gpu.Size, segments int64, keys ...int64) *footage {
	parsed, err := media.ParseRate(rate)
	require.NoError(t, err)
	f := &footage{t: t, rate: parsed, grid: cmaf.NewGrid(parsed), size: size, clips: map[string]origin.Clip{}, recordings: map[string]origin.Recording{}}
	noon := media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	k := f.grid.SegmentAfter(noon)
	f.first = f.grid.SegmentStart(k)
	f.store, err = record.Open(record.Config{Dirs: []string{t.TempDir()}, Channel: "main"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, f.store.Close())
	})
	f.shoot(segments, keys)
	clock := media.NewClock(f.grid.SegmentTime(k+segments+10), time.Now())
	f.handler = origin.New(origin.Config{Clock: clock, Clip: func(id string) (origin.Clip, bool) {
		clip, ok := f.clips[id]
		return clip, ok
	}, Draw: reencoder{child.Command{Args: []string{"clip-encoder"}}}.draw, Recording: func(id string) (origin.Recording, bool) {
		r, ok := f.recordings[id]
		return r, ok
	}})
	f.handler.Add("main", origin.Channel{Store: f.store})
	f.server = httptest.NewServer(f.handler)
	t.Cleanup(f.server.Close)
	return f
}

func (f *footage) shoot(segments int64, keys []int64) {
	device, err := gpu.Open("cpu")
	require.NoError(f.t, err)
	defer device.Close()
	config := gpu.EncoderConfig{ID: "v", Size: f.size, Rate: f.rate, Bitrate: f.size.Width * f.size.Height * 4, Threads: 2}
	encoder, err := device.NewEncoder(config)
	require.NoError(f.t, err)
	defer encoder.Close()
	config.ParameterSet = 1
	fallback, err := device.NewEncoder(config)
	require.NoError(f.t, err)
	defer fallback.Close()
	track := *encoder.Track()
	track.Config, err = gpu.JoinParameterSets(encoder.Track(), fallback.Track())
	require.NoError(f.t, err)

	begin := f.rate.Samples(f.first, audio.Hz)
	unit := -(-begin / audio.AACUnit)
	if unit*audio.AACUnit < begin {
		unit++
	}
	sound, err := audio.NewEncoder("audio", audio.AAC(128_000), unit, begin)
	require.NoError(f.t, err)
	defer sound.Close()
	picture, err := cmaf.NewRendition(f.grid, "v", &track, config.Bitrate)
	require.NoError(f.t, err)
	audible, err := cmaf.NewRendition(f.grid, "audio", sound.Track(), 128_000)
	require.NoError(f.t, err)
	require.NoError(f.t, f.store.SetLayout(record.Layout{Grid: f.grid, Renditions: []*cmaf.Rendition{picture, audible}}))
	packager := cmaf.NewPackager([]*cmaf.Rendition{picture, audible}, f.store.Append)

	frames := segments * f.grid.SegmentFrames
	for n := range frames {
		frame, err := device.NewFrame(f.size)
		require.NoError(f.t, err)
		f.draw(frame, f.first+n)
		key := n%f.grid.GOPFrames() == 0
		for _, asked := range keys {
			key = key || asked == n
		}
		access, err := encoder.Encode(frame, f.first+n, key)
		frame.Release()
		require.NoError(f.t, err)
		at := f.rate.At(f.first + n)
		packager.Write(&media.Packet{Track: &track, PTS: at, DTS: at, Key: key, Data: access.Data})
	}
	last := f.rate.Samples(f.first+frames, audio.Hz) + 8*audio.AACUnit
	block := audio.NewBlock(int(last - begin))
	for at := begin; at < last; at++ {
		if into := (at % clickEvery); into < 64 {
			v := float32(0.5 * math.Sin(float64(into)*math.Pi/4))
			block[0][at-begin], block[1][at-begin] = v, v
		}
	}
	require.NoError(f.t, sound.Write(block, func(i int64, data []byte) {
		at := media.TimeOfTicks(i*audio.AACUnit, audio.Hz)
		packager.Write(&media.Packet{Track: sound.Track(), PTS: at, DTS: at, Key: true, Data: bytes.Clone(data)})
	}))
	f.await(f.grid.SegmentAt(f.rate.At(f.first)) + segments - 1)
}

func (f *footage) await(k int64) {
	limit := time.After(time.Minute)
	for {
		edge := f.store.Edge()
		if l, a := edge.Listing("v"), edge.Listing("audio"); l != nil && a != nil && l.Last() >= k && a.Last() >= k {
			return
		}
		select {
		case <-edge.Changed:
		case <-limit:
			require.FailNow(f.t, "not stored")
		}
	}
}

// draw makes a picture with detail that moves, and its number.
func (f *footage) draw(frame *gpu.Frame, n int64) {
	p := pattern.Picture{Width: f.size.Width, Height: f.size.Height}
	p.Y, p.YStride = frame.Plane(0)
	p.U, p.CStride = frame.Plane(1)
	p.V, _ = frame.Plane(2)
	for y := range f.size.Height {
		for x := range f.size.Width {
			p.Y[y*p.YStride+x] = byte(64 + (x+2*y+3*int(n%1000))%128)
		}
	}
	for i := range p.U {
		p.U[i] = 128
	}
	for i := range p.V {
		p.V[i] = 128
	}
	pattern.DrawCounter(p, n)
}

// exact makes clip "c" of frames [from, to), counted from the first.
func (f *footage) exact(from, to int64) {
	edge := f.store.Edge()
	first, end := f.first+from, f.first+to
	encoder := reencoder{child.Command{Args: []string{"clip-encoder"}, Stderr: func(line string) { f.t.Log(line) }}}
	leads, err := record.Leads(context.Background(), encoder, edge, first, end)
	require.NoError(f.t, err)
	require.Len(f.t, leads, 1)
	k, _ := f.grid.Segment(first)
	last, _ := f.grid.Segment(end - 1)
	f.clips["c"] = origin.Clip{
		Channel: "main", From: k - 1, To: last + 1, First: first, End: end, Exact: true,
		Lead: func(rendition string) []byte { return leads[rendition].Chunk },
	}
}

func (f *footage) fetch(path string) []byte {
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	require.Equal(f.t, http.StatusOK, answer.Code, path)
	return answer.Body.Bytes()
}

// decode has ffmpeg read an input without a complaint.
func (f *footage) decode(input string, options ...string) []byte {
	args := append([]string{"-v", "error", "-nostdin", "-i", input}, options...)
	command := exec.Command("ffmpeg", append(args, "pipe:1")...)
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	require.NoError(f.t, err, said.String())
	require.Empty(f.t, said.String())
	return out
}

// numbers are what is read in the pictures of an input, counted from the first.
func (f *footage) numbers(input string) []int64 {
	planes := f.decode(input, "-map", "0:v", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo")
	size := f.size.Width * f.size.Height * 3 / 2
	require.Zero(f.t, len(planes)%size)
	var numbers []int64
	for ; len(planes) > 0; planes = planes[size:] {
		p := pattern.Picture{Width: f.size.Width, Height: f.size.Height, Y: planes[:f.size.Width*f.size.Height], YStride: f.size.Width}
		n, ok := pattern.ReadCounter(p)
		require.True(f.t, ok, "picture %d has no number", len(numbers))
		numbers = append(numbers, int64(n)-int64(uint32(f.first)))
	}
	return numbers
}

// clicks are the samples at which the sound of an input clicks, and how many
// samples there are.
func (f *footage) clicks(input string) (clicks []int64, total int64) {
	raw := f.decode(input, "-map", "0:a", "-ac", "1", "-af", "aresample=async=1:first_pts=0", "-f", "f32le")
	quiet := int64(1000)
	for i := int64(0); i < int64(len(raw)/4); i++ {
		v := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		quiet++
		if v > 0.25 || v < -0.25 {
			if quiet > 500 {
				clicks = append(clicks, i)
			}
			quiet = 0
		}
	}
	return clicks, int64(len(raw) / 4)
}

func rangeOf(from, to int64) (all []int64) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

func TestExactClipHasItsFramesAndNoOther(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg program")
	}
	for i, rate := range []string{"25", "30000/1001"} {
		f := newFootage(t, rate, gpu.Size{Width: 320, Height: 180}, 4, 60)
		gop, segment := f.grid.GOPFrames(), f.grid.SegmentFrames
		for _, test := range []struct {
			name     string
			from, to int64
		}{
			{"from within a group to within another", 7, 3*segment - 11},
			{"from an IDR", gop, 2*gop + 5},
			{"within one group", gop + 3, gop + 9},
			{"one frame", gop + 3, gop + 4},
			{"one frame before an IDR", gop - 1, gop + 1},
			{"one frame before a segment", segment - 1, segment + 30},
			{"up to an IDR", 5, gop},
			{"around an IDR that was asked for", 50, 70},
			{"from the second segment on", segment, 2 * segment},
		}[:9-5*i] {
			t.Run(rate+" "+test.name, func(t *testing.T) {
				f.t = t
				f.exact(test.from, test.to)
				file := filepath.Join(t.TempDir(), "c.mp4")
				require.NoError(t, os.WriteFile(file, f.fetch("/clips/c.mp4"), 0o600))
				require.Equal(t, rangeOf(test.from, test.to), f.numbers(file))
				f.checkSound(file, test.from, test.to, 1)

				hls := f.server.URL + "/clips/c/index.m3u8"
				require.Equal(t, rangeOf(test.from, test.to), f.numbers(hls))
				f.checkSound(hls, test.from, test.to, audio.AACUnit)
				f.checkPlaylists(test.from, test.to)
			})
		}
	}
}

// checkSound says that the sound of frames [from, to) is there, to so many samples.
func (f *footage) checkSound(input string, from, to, within int64) {
	begin, end := f.rate.Samples(f.first+from, audio.Hz), f.rate.Samples(f.first+to, audio.Hz)
	clicks, total := f.clicks(input)
	require.InDelta(f.t, end-begin, total, float64(within+audio.AACUnit), "ffmpeg plays the last access unit to its end")
	var want []int64
	for at := (begin + clickEvery - 1) / clickEvery * clickEvery; at+64 < end; at += clickEvery {
		want = append(want, at-begin)
	}
	for len(clicks) > len(want) { // of sound beyond the edges, where it is not exact to the sample
		require.Greater(f.t, within, int64(1))
		if clicks[0] < within && (len(want) == 0 || want[0] > within) {
			clicks = clicks[1:]
		} else {
			clicks = clicks[:len(clicks)-1]
		}
	}
	require.Len(f.t, clicks, len(want))
	for i := range want {
		require.InDelta(f.t, want[i], clicks[i], float64(within+4), "click %d", i)
	}
}

// checkPlaylists says that what a clip's playlists list adds up to its length,
// and that all of it can be had.
func (f *footage) checkPlaylists(from, to int64) {
	text := string(f.fetch("/clips/c/v/index.m3u8"))
	sum := 0.0
	for line := range strings.Lines(text) {
		var d float64
		if _, err := fmt.Sscanf(line, "#EXTINF:%f,", &d); err == nil {
			sum += d
		}
	}
	require.InDelta(f.t, f.rate.At(f.first+to).Sub(f.rate.At(f.first+from)).Seconds(), sum, 1e-4)
	require.Contains(f.t, text, "#EXT-X-PROGRAM-DATE-TIME:"+f.rate.At(f.first+from).Add(time.Millisecond/2).UTC().Format("2006-01-02T15:04:05.000Z"))
	require.NotContains(f.t, text, "DISCONTINUITY\n")
}

// A range that begins in a gap begins with what comes after it, says so by its
// time, and stays in step with its sound.
func TestExactClipOverAGap(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg program")
	}
	f := newFootage(t, "25", gpu.Size{Width: 320, Height: 180}, 2)
	segment := f.grid.SegmentFrames
	f.exact(-20, 30)
	file := filepath.Join(t.TempDir(), "c.mp4")
	require.NoError(t, os.WriteFile(file, f.fetch("/clips/c.mp4"), 0o600))
	require.Equal(t, rangeOf(0, 30), f.numbers(file))
	clicks, _ := f.clicks(file)
	begin := f.rate.Samples(f.first, audio.Hz) // ffmpeg begins with what is there
	require.NotEmpty(t, clicks)
	require.InDelta(t, 0, (clicks[0]+begin+clickEvery/2)%clickEvery-clickEvery/2, 5)
	f.exact(segment+3, 3*segment)
	require.NoError(t, os.WriteFile(file, f.fetch("/clips/c.mp4"), 0o600))
	require.Equal(t, rangeOf(segment+3, 2*segment), f.numbers(file))
}

// The damage of a group costs its frames, not the clip.
func TestClipEncoderRefusesWhatItCannotDecode(t *testing.T) {
	f := newFootage(t, "25", gpu.Size{Width: 320, Height: 180}, 1)
	edge := f.store.Edge()
	r := *edge.Layout.Renditions[0]
	encoder := reencoder{child.Command{Args: []string{"clip-encoder"}}}
	garbage := make([][]byte, 4)
	for i := range garbage {
		garbage[i] = []byte{0, 0, 0, 3, 0x65, 1, 2}
	}
	_, err := encoder.Reencode(t.Context(), []record.Passage{{Rendition: &r, Units: garbage, From: 1, To: 3}})
	require.ErrorContains(t, err, `rendition "v": `)
	track := *r.Track
	track.Config = []byte{1, 100, 0, 30, 255, 224, 0}
	r.Track = &track
	_, err = encoder.Reencode(t.Context(), []record.Passage{{Rendition: &r, Units: garbage, From: 1, To: 3}})
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = encoder.Reencode(ctx, []record.Passage{{Rendition: &r, Units: garbage, From: 1, To: 3}})
	require.Error(t, err)
}

func TestExactClipInTheAPI(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05.000Z") }
	body := func(from, to time.Duration, rest string) string {
		return fmt.Sprintf(`{"channel":"demo","start":%q,"end":%q,"mode":"exact"%s}`, at(from), at(to), rest)
	}
	made := c.must(202, "POST", "/v1/clips", body(-time.Second, time.Minute, `,"name":"Goal","tags":["home","late"]`))
	require.Equal(t, "pending", made.field(t, "state"))
	id := made.field(t, "id").(string)
	job := c.must(200, "GET", "/v1/jobs/"+made.field(t, "job").(string), "")
	require.Equal(t, "waiting", job.field(t, "state"))
	require.Equal(t, "/v1/clips/"+id, job.field(t, "result"))
	require.Len(t, c.must(200, "GET", "/v1/jobs", "").field(t, "items"), 1)
	for query, want := range map[string]int{
		"": 1, "?tag=home": 1, "?tag=away": 0, "?text=goA": 1, "?text=foul": 0, "?channel=demo&tag=late": 1, "?channel=other": 0,
	} {
		require.Len(t, c.must(200, "GET", "/v1/clips"+query, "").field(t, "items"), want, query)
	}
	patched := c.must(200, "PATCH", "/v1/clips/"+id, `{"tags":["away"],"name":null}`, "If-Match", "*")
	require.Equal(t, []any{"away"}, patched.field(t, "tags"))
	require.Nil(t, patched.field(t, "name"))
	c.must(422, "PATCH", "/v1/clips/"+id, `{"tags":[""]}`, "If-Match", "*")
	c.must(422, "POST", "/v1/clips", body(time.Minute, time.Second, ""))
	c.must(422, "POST", "/v1/clips", body(0, 2*time.Hour, ""))
	c.must(409, "POST", "/v1/clips", body(-time.Hour, -time.Hour+time.Minute, ""))
	c.must(404, "POST", "/v1/clips", strings.Replace(body(0, time.Minute, ""), "demo", "gone", 1))
	answer := httptest.NewRecorder()
	node.media.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, (&url.URL{Path: "/clips/" + id + ".mp4"}).String(), nil))
	require.NotEqual(t, 200, answer.Code)
	c.must(204, "DELETE", "/v1/clips/"+id, "", "If-Match", "*")
	c.must(404, "GET", "/v1/jobs/"+job.field(t, "id").(string), "")
}
