package gpu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCacheDropsWhatIsOutOfUse(t *testing.T) {
	live := map[int]bool{}
	c := newCache(func(k int) int { live[k] = true; return -k }, func(v int) { delete(live, -v) })
	for k := range crowded {
		require.Equal(t, -k, c.get(k))
	}
	c.trim()
	require.Len(t, live, crowded, "a full scene stays")
	c.get(3)
	c.get(1000)
	c.trim()
	require.Equal(t, map[int]bool{3: true, 1000: true}, live)
	c.close()
	require.Empty(t, live)
}
