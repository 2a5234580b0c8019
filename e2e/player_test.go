package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/machinetest"
)

// busy is how late things may be on a machine that has other things to do.
const busy = time.Second

// TestAPlayerIsServedInTime looks at what only a clock can see of the origin.
func TestAPlayerIsServedInTime(t *testing.T) {
	t.Parallel()
	a := startAppliance(t)
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "test1", "kind": "test", "test": map[string]any{"toneHz": 440}})
	a.makeChannel([]string{"test1"}, v180)
	a.playlist("v180", "")

	t.Run("parts come one by one", func(t *testing.T) { machinetest.Calmly(standstill, func() func() { return a.checkCadence(t) }) })
	t.Run("a hinted part comes in one piece", a.checkHint)
	t.Run("a segment in progress comes chunk by chunk", func(t *testing.T) { machinetest.Calmly(standstill, func() func() { return a.checkProgress(t) }) })
	t.Run("HEAD is GET without a body", a.checkHead)
}

// partDue is when the last frame of a part is.
func partDue(segment int64, part int) time.Time {
	return rate.At(segment*segmentFrames + int64(part+1)*partFrames - 1).UTC()
}

// checkCadence reloads as a player does, each time for the next part.
func (a *appliance) checkCadence(t *testing.T) (check func()) {
	const parts = 20
	p := a.playlist("v180", "")
	segment, part := p.next(), len(p.open)
	var late []time.Duration // from its last frame to its listing
	for range parts {
		directives := fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", segment, part)
		p = a.playlist("v180", directives)
		late = append(late, time.Since(partDue(segment, part)))
		require.True(t, p.next() > segment || len(p.open) > part, "asked for part %d of %d, got\n%s", part, segment, p.text)
		if part++; part == segmentFrames/partFrames {
			segment, part = segment+1, 0
		}
	}
	slices.Sort(late)
	return func() {
		t.Logf("parts are listed %v to %v after their last frame, half of them within %v", late[0], late[parts-1], late[parts/2])
		require.Positive(t, late[0], "a part is there before its last frame")
		require.Less(t, late[parts/2], 200*time.Millisecond)
		require.Less(t, late[parts-1], busy)
	}
}

// checkHint asks for a part before it exists (RFC 8216bis §4.4.5.3, §6.2.6).
func (a *appliance) checkHint(t *testing.T) {
	p := a.playlist("v180", "")
	answer, err := http.Get(a.renditionURL("v180", p.hint))
	require.NoError(t, err)
	defer answer.Body.Close()
	begin := time.Now()
	data, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Less(t, time.Since(begin), 150*time.Millisecond, "it began before it was whole")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, strconv.Itoa(len(data)), answer.Header.Get("Content-Length"))

	p = a.playlist("v180", "")
	require.Contains(t, p.uris(), strings.TrimSpace(partOf(answer.Request.URL.Path)), p.text)
}

func partOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// checkProgress reads the segment in progress as DASH players do, from a
// socket, so that nothing gathers what comes in pieces.
func (a *appliance) checkProgress(t *testing.T) (check func()) {
	var p *playlist
	a.eventually(10*time.Second, "a segment has just begun", func() bool {
		p = a.playlist("v180", "")
		return len(p.open) > 0 && len(p.open) < 4
	})
	segment := p.next()
	path := fmt.Sprintf("/live/main/v180/%d.m4s", segment)
	conn, err := net.Dial("tcp", a.media)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, a.media)
	require.NoError(t, err)

	reader := bufio.NewReaderSize(conn, 256<<10)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200 OK\r\n", line)
	header, err := textproto.NewReader(reader).ReadMIMEHeader()
	require.NoError(t, err)
	require.Equal(t, []string{"chunked"}, header["Transfer-Encoding"])
	require.Equal(t, "*", header.Get("Access-Control-Allow-Origin"))

	data, pauses, last := readInPieces(t, httputil.NewChunkedReader(reader))
	return func() { a.checkPieces(t, segment, data, pauses, last) }
}

// checkPieces holds a segment to have come part by part, each in its time, and
// to be what is served of it later.
func (a *appliance) checkPieces(t *testing.T, segment int64, data []byte, pauses map[int]time.Time, last time.Time) {
	require.WithinDuration(t, partDue(segment, 15), last, busy)
	status, whole, err := get(context.Background(), a.renditionURL("v180", fmt.Sprintf("%d.m4s", segment)))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.True(t, bytes.Equal(whole, data), "segment %d has other bytes when it is whole", segment)

	var late []time.Duration // from a part's last frame to its last byte
	size := 0
	for part := range segmentFrames / partFrames {
		_, bytes, err := get(context.Background(), a.renditionURL("v180", fmt.Sprintf("%d.%d.m4s", segment, part)))
		require.NoError(t, err)
		size += len(bytes)
		if at, ok := pauses[size]; ok {
			late = append(late, at.Sub(partDue(segment, part)))
		}
	}
	require.Len(t, data, size)
	require.Greater(t, len(late), 8, "it comes part by part, with pauses after %v bytes", slices.Sorted(maps.Keys(pauses)))
	slices.Sort(late)
	require.Less(t, late[len(late)/2], 150*time.Millisecond, "a part waits for the next one")
}

// readInPieces reads to the end. The pauses are after how many bytes nothing
// came for a while, and when those had come.
func readInPieces(t *testing.T, body io.Reader) (data []byte, pauses map[int]time.Time, last time.Time) {
	pauses = map[int]time.Time{}
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		if now := time.Now(); n > 0 {
			if len(data) > 0 && now.Sub(last) > 50*time.Millisecond {
				pauses[len(data)] = last
			}
			last = now
		}
		data = append(data, buffer[:n]...)
		if err == io.EOF {
			return data, pauses, last
		}
		require.NoError(t, err)
	}
}

// checkHead compares the headers of HEAD and GET of everything that a channel
// has. What changes between two requests is left out.
func (a *appliance) checkHead(t *testing.T) {
	p := a.playlist("v180", "")
	last := p.segments[len(p.segments)-1]
	changing := []string{"Date", "Etag", "Content-Length", "Last-Modified", "Age"}
	for path, but := range map[string][]string{
		"index.m3u8": changing, "manifest.mpd": changing, "v180/index.m3u8": changing, "v180/iframes.m3u8": changing,
		"v180/" + p.init: {"Date"}, "v180/" + last.uri: {"Date"}, "v180/" + last.parts[0]: {"Date"}, "v180/nothing.m4s": {"Date"},
	} {
		t.Run(path, func(t *testing.T) {
			var headers [2]http.Header
			var codes [2]int
			for i, method := range []string{http.MethodGet, http.MethodHead} {
				r, err := http.NewRequestWithContext(t.Context(), method, a.mediaURL("/live/main/"+path), nil)
				require.NoError(t, err)
				r.Header.Set("Accept-Encoding", "identity")
				answer, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				body, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				if method == http.MethodHead {
					require.Empty(t, body)
				}
				headers[i], codes[i] = answer.Header, answer.StatusCode
			}
			require.Equal(t, codes[0], codes[1])
			for name := range headers[0] {
				require.Contains(t, headers[1], name)
			}
			for _, name := range but {
				headers[0].Del(name)
				headers[1].Del(name)
			}
			require.Equal(t, headers[0], headers[1])
		})
	}
}
