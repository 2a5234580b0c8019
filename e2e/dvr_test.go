package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/mixer/engine/pattern"
)

// TestWhatIsRecordedCanBePlayed records across a SIGKILL of the server, and
// plays DVR, recording and clips with ffmpeg. The built-in source shows the
// number of the channel's frame.
func TestWhatIsRecordedCanBePlayed(t *testing.T) {
	t.Parallel()
	a := startAppliance(t)
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "test1", "kind": "test", "test": map[string]any{"toneHz": 440}})
	a.makeChannel([]string{"test1"}, v180)
	cut := a.take("cut", map[string]any{"scene": "test1"})
	a.stored(cut.Frame + segmentFrames)

	recording := a.call(201, "POST", "/v1/channels/main/recordings", map[string]any{"name": "The show"})
	id := recording["id"].(string)
	require.Equal(t, "recording", recording["state"])
	began := a.state().Frame
	a.stored(began + 2*segmentFrames)
	require.Contains(t, a.text("/vod/"+id+"/v180/index.m3u8"), "#EXT-X-PLAYLIST-TYPE:EVENT\n")

	a.kill()
	a.start()
	a.eventually(20*time.Second, "the channel comes back by itself", func() bool { return a.state().State == "running" })
	require.Equal(t, "recording", a.call(200, "GET", "/v1/recordings/"+id, nil)["state"], "it goes on")
	a.stored(a.state().Frame + segmentFrames)

	stopped := a.call(200, "POST", "/v1/recordings/"+id+"/stop", nil)
	require.Equal(t, "stopped", stopped["state"])
	ended := a.state().Frame
	a.stored(ended + segmentFrames)
	a.holdRecording(id, began, ended)
	a.holdClip(began + 37) // before the kill
	a.holdTimeline(cut.Frame)
	a.holdSeeking(a.mediaURL("/vod/"+id+"/download.mp4"), began)
	a.holdStartOver(began)

	listed := a.call(200, "GET", "/v1/recordings?channel=main", nil)["items"].([]any)
	require.Len(t, listed, 1)
	a.call(200, "PATCH", "/v1/recordings/"+id, map[string]any{"name": "Renamed"})
	require.Equal(t, "Renamed", a.call(200, "GET", "/v1/recordings/"+id, nil)["name"])
	a.call(409, "DELETE", "/v1/channels/main", nil)
	a.call(200, "POST", "/v1/channels/main/stop", nil)
	require.Contains(t, a.text("/vod/"+id+"/v180/index.m3u8"), "#EXT-X-ENDLIST", "a stopped channel's recordings are there")
	a.call(204, "DELETE", "/v1/recordings/"+id, nil)
	status, _, err := get(t.Context(), a.mediaURL("/vod/"+id+"/index.m3u8"))
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status)
}

// stored waits until the segment with a frame is whole.
func (a *appliance) stored(frame int64) {
	a.t.Helper()
	a.eventually(30*time.Second, "the frame is stored", func() bool {
		return min(a.playlist("v180", "").next(), a.playlist("audio", "").next()) > frame/segmentFrames
	})
}

func (a *appliance) text(path string) string {
	a.t.Helper()
	status, text, err := get(a.t.Context(), a.mediaURL(path))
	require.NoError(a.t, err)
	require.Equal(a.t, http.StatusOK, status, "%s: %s", path, text)
	return string(text)
}

// decoded are the pictures that ffmpeg makes of an input, and what it said.
func (a *appliance) decoded(options ...string) []pattern.Picture {
	a.t.Helper()
	args := append([]string{"-v", "error", "-nostdin", "-threads", "1"}, options...)
	command := exec.CommandContext(a.t.Context(), "ffmpeg",
		append(args, "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "pipe:1")...)
	var said strings.Builder
	command.Stderr = &said
	planes, err := command.Output()
	require.NoError(a.t, err, said.String())
	require.Empty(a.t, said.String(), "%v does not decode cleanly", options)
	luma := v180.Width * v180.Height
	var pictures []pattern.Picture
	for ; len(planes) > 0; planes = planes[luma*3/2:] {
		pictures = append(pictures, pattern.Picture{
			Width: v180.Width, Height: v180.Height, YStride: v180.Width, CStride: v180.Width / 2,
			Y: planes[:luma], U: planes[luma : luma*5/4], V: planes[luma*5/4 : luma*3/2],
		})
	}
	return pictures
}

// number is the frame that a picture says it is.
func number(t *testing.T, p pattern.Picture, near int64) int64 {
	t.Helper()
	read, ok := pattern.ReadCounter(p)
	require.True(t, ok, "the picture shows no number")
	return near + int64(int32(read-uint32(near)))
}

// file downloads a whole file, and holds ranges of it to the same bytes.
func (a *appliance) file(path string) string {
	a.t.Helper()
	answer, err := http.Get(a.mediaURL(path))
	require.NoError(a.t, err)
	defer answer.Body.Close()
	require.Equal(a.t, http.StatusOK, answer.StatusCode, path)
	body, err := io.ReadAll(answer.Body)
	require.NoError(a.t, err)
	require.Equal(a.t, strconv.Itoa(len(body)), answer.Header.Get("Content-Length"))
	for range 5 {
		from := rand.IntN(len(body))
		to := from + rand.IntN(len(body)-from)
		r, err := http.NewRequest(http.MethodGet, a.mediaURL(path), nil)
		require.NoError(a.t, err)
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
		part, err := http.DefaultClient.Do(r)
		require.NoError(a.t, err)
		text, err := io.ReadAll(part.Body)
		part.Body.Close()
		require.NoError(a.t, err)
		require.Equal(a.t, http.StatusPartialContent, part.StatusCode)
		require.Equal(a.t, body[from:to+1], text)
	}
	name := filepath.Join(a.t.TempDir(), "file.mp4")
	require.NoError(a.t, os.WriteFile(name, body, 0o600))
	return name
}

// holdRecording holds playlists and the file to the frames that were recorded.
func (a *appliance) holdRecording(id string, began, ended int64) {
	t := a.t
	t.Helper()
	p := parsePlaylist(t, a.text("/vod/"+id+"/v180/index.m3u8"))
	require.Contains(t, p.text, "#EXT-X-ENDLIST")
	require.LessOrEqual(t, p.sequence, began/segmentFrames)
	require.GreaterOrEqual(t, p.next(), ended/segmentFrames)
	for _, s := range p.segments {
		if !s.gap {
			require.Equal(t, fmt.Sprintf("../../../live/main/v180/%d.m4s", s.number), s.uri, "the same bytes as live")
		}
	}
	pictures := a.decoded("-i", a.file("/vod/"+id+"/download.mp4"))
	last := number(t, pictures[0], began) - 1
	require.Equal(t, p.sequence*segmentFrames, last+1)
	jumps, repeats := 0, 0
	for i, picture := range pictures {
		if n, ok := pattern.ReadCounter(picture); ok { // filler shows none
			at := last + int64(int32(n-uint32(last)))
			require.GreaterOrEqual(t, at, last, "picture %d", i)
			switch at {
			case last:
				repeats++
			case last + 1:
			default:
				jumps++
			}
			last = at
		}
	}
	require.LessOrEqual(t, repeats, 10, "a late tick repeats a picture; more is no noise of the machine")
	require.LessOrEqual(t, jumps, 3+repeats, "but for the time the server was down nothing is missing")
	require.Equal(t, p.next()*segmentFrames-1, last)
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0",
		a.mediaURL("/vod/"+id+"/download.mp4")).Output()
	require.NoError(t, err)
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	require.NoError(t, err)
	require.InDelta(t, float64(len(p.segments))*segmentFrames/25, seconds, 0.1, "what is missing takes its time")
}

// holdClip asks for a clip that begins with a frame that is no IDR.
func (a *appliance) holdClip(first int64) {
	t := a.t
	t.Helper()
	end := first + 61
	stamp := func(frame int64) string { return rate.At(frame).UTC().Format("2006-01-02T15:04:05.000Z") }
	clip := a.call(201, "POST", "/v1/clips", map[string]any{"channel": "main", "start": stamp(first), "end": stamp(end), "mode": "fast"})
	require.Equal(t, "ready", clip["state"])
	id := clip["id"].(string)
	const gop = 8 * partFrames
	for _, input := range []string{a.file("/clips/" + id + ".mp4"), a.mediaURL("/clips/" + id + "/index.m3u8")} {
		pictures := a.decoded("-i", input)
		shown := number(t, pictures[0], first)
		require.Equal(t, first/gop*gop, shown, "the IDR before the first frame")
		for i, picture := range pictures {
			require.Equal(t, shown+int64(i), number(t, picture, first))
		}
		last := shown + int64(len(pictures)) - 1
		if strings.HasSuffix(input, ".mp4") {
			require.Equal(t, end-1, last)
		} else {
			require.Equal(t, (end+partFrames-1)/partFrames*partFrames-1, last, "playlists end with a part")
		}
	}
	for _, wrong := range []struct {
		status int
		body   map[string]any
	}{
		{422, map[string]any{"channel": "main", "start": stamp(end), "end": stamp(first)}},
		{422, map[string]any{"channel": "main", "start": stamp(first), "end": stamp(first + 25*7200)}},
		{409, map[string]any{"channel": "main", "start": stamp(first - 25*3600), "end": stamp(end - 25*3600)}},
		{404, map[string]any{"channel": "other", "start": stamp(first), "end": stamp(end)}},
	} {
		a.call(wrong.status, "POST", "/v1/clips", wrong.body)
	}
	soon := a.state().Frame + 20
	ahead := a.call(202, "POST", "/v1/clips", map[string]any{"channel": "main", "start": stamp(soon - 41), "end": stamp(soon), "mode": "exact"})
	require.Equal(t, "pending", ahead["state"])
	a.eventually(20*time.Second, "the clip is ready", func() bool {
		return a.call(200, "GET", "/v1/clips/"+ahead["id"].(string), nil)["state"] == "ready"
	})
	pictures := a.decoded("-i", a.mediaURL("/clips/"+ahead["id"].(string)+".mp4"))
	require.Len(t, pictures, 41)
	require.Equal(t, soon-41, number(t, pictures[0], soon), "an exact clip begins with the frame that was asked for")
	require.Equal(t, soon-1, number(t, pictures[len(pictures)-1], soon))
	for _, id := range []string{id, ahead["id"].(string)} {
		a.call(204, "DELETE", "/v1/clips/"+id, nil)
	}
}

// holdTimeline finds the cut, with its frame, and the time that the server was
// down, all of it from before a SIGKILL.
func (a *appliance) holdTimeline(cut int64) {
	t := a.t
	t.Helper()
	a.call(201, "POST", "/v1/channels/main/marks", map[string]any{"text": "the end"})
	line := a.call(200, "GET", "/v1/channels/main/timeline?to="+time.Now().Add(time.Minute).UTC().Format("2006-01-02T15:04:05.000Z"), nil)
	events := line["events"].([]any)
	require.Len(t, events, 2)
	first, last := events[0].(map[string]any), events[1].(map[string]any)
	require.Equal(t, "cut", first["type"])
	require.Equal(t, float64(cut), first["frame"])
	require.Equal(t, "test1", first["program"])
	require.Equal(t, "the end", last["text"])
	gaps := parsePlaylist(t, a.text("/dvr/main/"+fmt.Sprintf("%.3f", float64(rate.At(cut))/1e9)+"-now/v180/index.m3u8")).gaps()
	if len(gaps) == 0 { // the server was back before a segment was over
		require.Empty(t, line["gaps"])
		require.Len(t, line["ranges"], 1)
		return
	}
	require.Len(t, line["gaps"], 1)
	require.Len(t, line["ranges"], 2)
}

// holdSeeking jumps about in a file that begins near a frame.
func (a *appliance) holdSeeking(address string, near int64) {
	a.t.Helper()
	first := number(a.t, a.decoded("-i", address, "-frames:v", "1")[0], near)
	for range 10 {
		offset := rand.Int64N(2 * segmentFrames)
		pictures := a.decoded("-ss", fmt.Sprintf("%.3f", float64(offset)/25), "-i", address, "-frames:v", "3")
		require.Len(a.t, pictures, 3)
		require.InDelta(a.t, first+offset, number(a.t, pictures[0], first), 1, "seek to %d", offset)
	}
}

// holdStartOver plays from an instant on, live and as a fixed span.
func (a *appliance) holdStartOver(first int64) {
	a.t.Helper()
	at := func(frame int64) string { return fmt.Sprintf("%.3f", float64(rate.At(frame))/1e9) }
	fixed := a.decoded("-i", a.mediaURL("/dvr/main/"+at(first)+"-"+at(first+segmentFrames)+"/index.m3u8"))
	require.Equal(a.t, first/segmentFrames*segmentFrames, number(a.t, fixed[0], first))
	require.Len(a.t, fixed, 2*segmentFrames)
	over := a.decoded("-live_start_index", "0", "-i", a.mediaURL("/dvr/main/"+at(first)+"-now/index.m3u8"), "-frames:v", "5")
	require.Equal(a.t, first/segmentFrames*segmentFrames, number(a.t, over[0], first))
}
