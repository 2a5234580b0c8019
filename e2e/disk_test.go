package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system of its own for a test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill takes all room of a file system until it is given back.
func fill(t *testing.T, dir string) (giveBack func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		require.ErrorIs(t, err, unix.ENOSPC)
	}
	return func() { require.NoError(t, os.Remove(name)) }
}

var listedSegment = regexp.MustCompile(`(?m)^(\d+)\.m4s$`)

// newestSegment is the last that the live playlist lists.
func (a *appliance) newestSegment() int {
	status, text, err := get(a.t.Context(), a.mediaURL("/live/main/v180/index.m3u8"))
	all := listedSegment.FindAllSubmatch(text, -1)
	if err != nil || status != http.StatusOK || len(all) == 0 {
		return 0
	}
	newest, err := strconv.Atoi(string(all[len(all)-1][1]))
	require.NoError(a.t, err)
	return newest
}

// goesOn waits for another segment, and fetches it.
func (a *appliance) goesOn(when string) {
	from := a.newestSegment()
	a.eventually(30*time.Second, "live goes on "+when, func() bool { return a.newestSegment() > from })
	status, body, err := get(a.t.Context(), a.mediaURL("/live/main/v180/"+strconv.Itoa(a.newestSegment())+".m4s"))
	require.NoError(a.t, err)
	require.Equal(a.t, http.StatusOK, status)
	require.NotEmpty(a.t, body)
}

// tryToMake asks for a source and gives the answer's status.
func (a *appliance) tryToMake(source string) int {
	body := strings.NewReader(`{"id":"` + source + `","kind":"test"}`)
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, "http://"+a.control+"/v1/sources", body)
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+a.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(a.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(a.t, err)
	if answer.StatusCode >= 400 {
		a.t.Logf("%s: %d %s", source, answer.StatusCode, text)
	}
	return answer.StatusCode
}

// TestFullDisks is F24: the disk of the DVR and that of the node's own data are
// full to the last byte. Live goes on, what cannot be stored is refused or a
// gap, and all is well when there is room again.
func TestFullDisks(t *testing.T) {
	t.Parallel()
	volume, data := smallDisk(t, "24m"), smallDisk(t, "24m")
	a := newAppliance(t)
	text, err := os.ReadFile(a.config())
	require.NoError(t, err)
	text = bytes.Replace(text, []byte(filepath.Join(a.dir, "data")), []byte(data), 1)
	text = bytes.Replace(text, []byte("reserveBytes: 16MiB"), []byte("reserveBytes: 1MiB, volumes: ["+volume+"]"), 1)
	require.NoError(t, os.WriteFile(a.config(), text, 0o600))
	a.key = a.token("manage")
	a.start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the node said:\n%s", a.log)
		}
	})
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "test1", "kind": "test", "test": map[string]any{"toneHz": 440}})
	a.makeChannel([]string{"test1"}, v180)
	a.goesOn("with room")

	giveVolume, giveData := fill(t, volume), fill(t, data)
	reason := ""
	a.eventually(30*time.Second, "the state says that the disk is full", func() bool {
		answer := a.call(200, "GET", "/v1/channels/main/state", nil)
		reason, _ = answer["reason"].(string)
		return answer["state"] == "degraded"
	})
	require.Contains(t, reason, "no space left")
	a.goesOn("on a full disk")
	require.Equal(t, http.StatusInsufficientStorage, a.tryToMake("more"))
	require.Zero(t, a.state().Workers.Restarts)

	giveVolume()
	giveData()
	a.eventually(30*time.Second, "the channel recovers", func() bool { return a.state().State == "running" })
	a.goesOn("with room again")
	a.eventually(30*time.Second, "the node takes changes again", func() bool {
		return a.tryToMake("test3") == http.StatusCreated
	})
	blocks, err := filepath.Glob(filepath.Join(volume, "main", "*.block"))
	require.NoError(t, err)
	require.NotEmpty(t, blocks)
	require.Zero(t, a.state().Workers.Restarts)
}
