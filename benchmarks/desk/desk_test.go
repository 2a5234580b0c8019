package desk

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPercentiles(t *testing.T) {
	require.Zero(t, at(nil, 95))
	require.Equal(t, 7.0, at([]float64{7}, 50))
	twenty := make([]float64, 20)
	for i := range twenty {
		twenty[i] = float64(20 - i)
	}
	require.Equal(t, []float64{10, 19, 20}, []float64{at(twenty, 50), at(twenty, 95), at(twenty, 100)})
}
