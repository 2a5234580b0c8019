package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The pages are there whether they were built or not: then they say so.
func TestControlAnswersEveryPage(t *testing.T) {
	for _, row := range []struct {
		path string
		want int
	}{
		{"/", http.StatusOK}, {"/sources", http.StatusOK}, {"/c/main", http.StatusOK}, {"/c/main/dvr", http.StatusOK},
		{"/tally/cam1", http.StatusOK}, {"/settings/", http.StatusOK}, {"/settings/webhooks", http.StatusOK}, {"/library", http.StatusOK},
		{"/sourcesx", http.StatusNotFound}, {"/assets/", http.StatusNotFound}, {"/assets/none.js", http.StatusNotFound},
		{"/x/../../web.go", http.StatusNotFound}, {"/watch/main", http.StatusNotFound},
	} {
		t.Run(row.path, func(t *testing.T) {
			answer := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodGet, "http://node/", nil)
			request.URL.Path = row.path
			Control().ServeHTTP(answer, request)
			require.Equal(t, row.want, answer.Code)
			if row.want == http.StatusOK {
				require.Contains(t, answer.Header().Get("Content-Type"), "text/html")
				require.Equal(t, "no-cache", answer.Header().Get("Cache-Control"))
			}
		})
	}
}

// firstLoad is the most that the control room may need before its first
// picture, in bytes of gzip.
const firstLoad = 150_000

func TestFirstLoadIsSmall(t *testing.T) {
	page, err := files.ReadFile("dist/index.html")
	if err != nil {
		t.Skip("the pages are not built")
	}
	total, seen := 0, map[string]bool{}
	var load func(name string)
	load = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		text, err := files.ReadFile(path.Join("dist", name))
		require.NoError(t, err, name)
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err = w.Write(text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		total += packed.Len()
		// What a page names, and what a script imports before it runs; import() is later.
		for _, match := range regexp.MustCompile(`(?:src|href)="/(assets/[^"]+)"|(?:from|import)\s*"\./([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
			if match[1] != "" {
				load(match[1])
			} else {
				load("assets/" + match[2])
			}
		}
	}
	load("index.html")
	require.NotEmpty(t, page)
	require.Greater(t, len(seen), 2, "scripts and styles were found")
	t.Logf("%d files, %d bytes of gzip", len(seen), total)
	require.Less(t, total, firstLoad)
}
