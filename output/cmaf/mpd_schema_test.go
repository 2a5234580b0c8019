package cmaf

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// D01: every form of manifest is valid by the schema, at every rate. With
// MILLRACE_DASH_SCHEMA=…/DASH-MPD.xsd it is by that one too.
func TestManifestsAreValid(t *testing.T) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed; make test installs it")
	}
	folder := t.TempDir()
	var files []string
	for _, rate := range contractRates {
		g := gridOf(t, rate)
		k := g.SegmentAt(noon)
		for name, m := range forms(t, g, k) {
			text, err := m.Marshal()
			require.NoError(t, err)
			file := filepath.Join(folder, name+"-"+filepath.Base(rate)+".mpd")
			require.NoError(t, os.WriteFile(file, text, 0o600))
			files = append(files, file)
		}
	}
	schemas := []string{"testdata/mpd.xsd"}
	if schema := os.Getenv("MILLRACE_DASH_SCHEMA"); schema != "" {
		schemas = append(schemas, schema)
	}
	for _, schema := range schemas {
		out, err := exec.Command("xmllint", append([]string{"--noout", "--nonet", "--schema", schema}, files...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// forms are the manifests that a channel has: at the edge, of a span that grows or
// has ended, over a gap, a lost segment and a change of rungs, with thumbnails.
func forms(t *testing.T, g Grid, k int64) map[string]*MPD {
	t.Helper()
	live, renditions := liveMPD(t, g, k)
	spans := func(static bool) *MPD {
		m := &MPD{TimeURL: "/time", Base: "../", Static: static, Origin: g.SegmentTime(k), PublishTime: live.PublishTime}
		for i, r := range renditions {
			segments := described(r, k, 9, 0)
			if i == 0 {
				m.Windows = append(m.Windows, Window{Rendition: r, Segments: append(segments[:1:1], segments[2:4]...), Over: true}) // one is lost
				other := *r
				other.ID = "later"
				m.Windows = append(m.Windows, Window{Rendition: &other, Segments: segments[6:]})
				continue
			}
			m.Windows = append(m.Windows, Window{Rendition: r, Segments: append(segments[:4:4], segments[6:]...)})
		}
		return m
	}
	early := spans(false)
	early.Origin = g.SegmentTime(k - 100)
	whole := &MPD{Static: true, Thumbnails: &Thumbnails{
		Sheets: "thumbnails/$Number$.jpg", Columns: 5, Rows: 5, Single: "thumbnails/at-$Number$.jpg", TileWidth: 160, TileHeight: 90,
	}}
	for _, r := range renditions {
		whole.Windows = append(whole.Windows, Window{Rendition: r, Segments: described(r, k, 3, 0)})
	}
	behind, _ := liveMPD(t, g, k)
	behind.Latency = time.Minute
	growing := spans(false)
	behind.Thumbnails, growing.Thumbnails = whole.Thumbnails, whole.Thumbnails
	return map[string]*MPD{"live": live, "behind": behind, "growing": growing, "early": early, "ended": spans(true), "whole": whole}
}

// Periods of a span are one for each change and one on each side of a gap; what is
// lost of one rendition only is told beside its timeline.
func TestPeriodsOfASpan(t *testing.T) {
	for _, rate := range contractRates {
		g := gridOf(t, rate)
		k := g.SegmentAt(noon)
		got := parseMPD(t, forms(t, g, k)["ended"])
		require.Len(t, got.Periods, 2, rate)
		first, second := got.Periods[0], got.Periods[1]
		require.Zero(t, *first.Start)
		require.InDelta(t, 6*g.SegmentDuration().Seconds(), time.Duration(*second.Start).Seconds(), 0.001)
		require.NotEqual(t, first.Id, second.Id)
		require.Equal(t, "later", second.AdaptationSets[0].Representations[0].Id)
		lost := first.AdaptationSets[0].Representations[0].SegmentTemplate.FailoverContent
		require.Len(t, lost.FCS, 1)
		require.False(t, *lost.Valid)
		r := forms(t, g, k)["ended"].Windows[0].Rendition
		start, length := r.Span(k + 1)
		require.EqualValues(t, start, lost.FCS[0].T)
		require.EqualValues(t, length, lost.FCS[0].D)
		require.Nil(t, first.AdaptationSets[1].Representations[0].SegmentTemplate.FailoverContent)
	}
}
