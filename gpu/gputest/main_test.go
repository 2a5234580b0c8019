package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu/cudaemu"
)

func TestTable(t *testing.T) {
	library, err := cudaemu.Build(t.TempDir())
	require.NoError(t, err)
	var table strings.Builder
	require.True(t, run(&table, library, 1))
	for _, line := range []string{"TEST EQUIPMENT", "cuda:0", "compositor", "h264_nvenc", "not usable: ", "upload, compose, read"} {
		require.Contains(t, table.String(), line)
	}
	table.Reset()
	require.False(t, run(&table, "no-such-library.so", 1))
	require.Contains(t, table.String(), "none: no CUDA driver")
}
