package cmaf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// decoded runs FFmpeg's command over a file and returns a hash per picture or
// block of sound. Anything that it complains of fails the test.
func decoded(t *testing.T, arguments ...string) []string {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg command here")
	}
	command := exec.CommandContext(t.Context(), program, append([]string{"-nostdin", "-v", "error"}, arguments...)...)
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	require.NoError(t, command.Run(), complaints.String())
	require.Empty(t, complaints.String())
	var hashes []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if !strings.HasPrefix(line, "#") {
			fields := strings.Split(line, ",")
			hashes = append(hashes, strings.TrimSpace(fields[len(fields)-1]))
		}
	}
	return hashes
}

// stored writes init section and chunks as a file.
func stored(t *testing.T, r *Rendition, chunks []*Chunk) string {
	t.Helper()
	data := bytes.Clone(r.Init)
	for _, c := range chunks {
		if c.Rendition == r.ID {
			data = append(data, c.Data...)
		}
	}
	path := filepath.Join(t.TempDir(), r.ID+".mp4")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// What was packaged decodes to the same pictures and samples as the streams
// that went in.
func TestFFmpegDecodesChunks(t *testing.T) {
	g := gridOf(t, "30")
	renditions, chunks := recorded(t, g, g.SegmentAt(noon))
	tests := []struct {
		r        *Rendition
		original string
		want     int
		format   []string
	}{
		{renditions[0], "primary.h264", 192, []string{"-f", "framemd5", "-"}},
		{renditions[1], "tone.aac", 300, []string{"-f", "framemd5", "-"}},
	}
	for _, test := range tests {
		got := decoded(t, append([]string{"-i", stored(t, test.r, chunks)}, test.format...)...)
		want := decoded(t, append([]string{"-i", filepath.Join("testdata", test.original)}, test.format...)...)
		require.Len(t, got, test.want, test.original)
		require.Equal(t, want[:len(got)], got, test.original)
	}
}

// Another encoder of the same ladder carries one group of pictures: its sets
// stand in the same init section (design §1).
func TestFFmpegDecodesAlternatingEncoders(t *testing.T) {
	g := gridOf(t, "30")
	r := rendition(t, g, videoTrack(t, "v90"))
	var chunks []*Chunk
	p := NewPackager([]*Rendition{r}, func(c *Chunk) { chunks = append(chunks, c) })
	primary, fallback := readH264(t, "primary.h264"), readH264(t, "fallback.h264")
	first := r.FirstUnit(g.SegmentAt(noon), 0)
	for i := range int64(192) {
		sample := packet(r, first+i)
		sample.Data, sample.Key = primary.units[i], primary.keys[i]
		if i >= 48 && i < 96 {
			sample.Data, sample.Key, sample.Filler = fallback.units[i-48], fallback.keys[i-48], true
		}
		p.Write(sample)
	}
	require.Len(t, chunks, 32)
	got := decoded(t, "-i", stored(t, r, chunks), "-f", "framemd5", "-")
	want := decoded(t, "-i", filepath.Join("testdata", "primary.h264"), "-f", "framemd5", "-")
	filler := decoded(t, "-i", filepath.Join("testdata", "fallback.h264"), "-f", "framemd5", "-")
	require.Equal(t, append(append(append([]string{}, want[:48]...), filler...), want[96:]...), got)
}
