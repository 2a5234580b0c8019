package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/output/cmaf"
)

// BenchmarkOpen opens a folder with six hours of four rungs and audio, all
// blocks sealed.
func BenchmarkOpen(b *testing.B) {
	l := layoutOf(b, "")
	for _, id := range []string{"v480", "v360"} {
		r := *l.Renditions[0]
		r.ID = id
		l.Renditions = append([]*cmaf.Rendition{&r}, l.Renditions...)
	}
	config := Config{Dirs: []string{b.TempDir()}}
	s, err := Open(config)
	require.NoError(b, err)
	r := run(b, s)
	require.NoError(b, s.SetLayout(l))
	k := start(l)
	segments := int64(6 * time.Hour / l.Grid.SegmentDuration())
	for n := k; n < k+segments; n++ {
		for p := range 16 {
			appendPart(s, l, n, p, 40)
		}
		await(b, s, l, n, 15)
	}
	r.stop()
	for b.Loop() {
		s, err := Open(config)
		require.NoError(b, err)
		require.Equal(b, k+segments-1, s.Edge().Listing("audio").Last())
		require.NoError(b, s.Close())
	}
}
