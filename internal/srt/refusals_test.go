package srt

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRefusalsAreLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		client := NewClient(ClientConfig{Log: slog.New(slog.NewTextHandler(&log, nil))})
		far, end := serving(t, client)
		receive[Table](t, far, KindTable)
		for range 3 {
			require.NoError(t, SendJSON(far, KindRefused, Refused{Code: RejectKey, Source: "cam1", Remote: "10.0.0.1:5"}))
		}
		time.Sleep(time.Second)
		require.NoError(t, SendJSON(far, KindRefused, Refused{Code: RejectSyntax, Remote: "10.0.0.2:5", Omitted: 7}))
		require.ErrorIs(t, end(), errBroken)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 2)
		require.Contains(t, lines[0], `msg="SRT caller refused" remote=10.0.0.1:5 code=1401 reason="wrong or missing key" source=cam1`)
		require.NotContains(t, lines[0], "omitted")
		require.Contains(t, lines[1], `remote=10.0.0.2:5 code=1400 reason="not a valid stream ID" omitted=9`)
	})
}

func TestNamed(t *testing.T) {
	table := Table{Entries: []Entry{{Source: "cam1", Keys: []Hash{HashKey("one")}}}}
	long := strings.Repeat("x", nameLimit)
	for streamID, want := range map[string]string{
		"publish:cam1:wrong":       "cam1",
		"publish:cam7:one":         "cam7",
		"publish:one:cam1":         "", // the wrong way round
		"#!::r=one,m=publish":      "",
		"one":                      "cam1",
		"two":                      "",
		"":                         "",
		"#!::r":                    "",
		"publish:" + long + "yyy:": long,
	} {
		require.Equal(t, want, table.Named(streamID), streamID)
	}
}
