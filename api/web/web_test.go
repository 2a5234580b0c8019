package web

import (
	"net/http"
	"net/http/httptest"
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
		{"/tally/cam1", http.StatusOK}, {"/settings/", http.StatusOK},
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
