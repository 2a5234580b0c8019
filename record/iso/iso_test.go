package iso

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.UTC))

func picture(config byte) *media.Track {
	return &media.Track{ID: "video", Kind: media.Video, Codec: media.H264, Config: []byte{1, 100, 0, 30 + config, 0xff, 0xe0, 0, 0xfd, 0xf8, 0xf8, 0}, Width: 640, Height: 360}
}

func sound(channels int) *media.Track {
	return &media.Track{ID: "audio", Kind: media.Audio, Codec: media.AAC, Config: []byte{0x11, byte(channels << 3)}, SampleRate: 48000, Channels: channels}
}

// source writes seconds of a source to a sink, from at on: 25 pictures a second
// with two B-frames between references, a key each second, and its sound.
func source(sink media.Sink, video, audio *media.Track, at media.Time, seconds int) {
	heard := at
	for n := range seconds * 25 {
		dts := at.Add(time.Duration(n) * 40 * time.Millisecond)
		if video != nil {
			shift := []time.Duration{40, 160, 0}[(n+2)%3] // a reference, then two between
			if n%25 == 0 {
				shift = 40
			}
			sink.Write(&media.Packet{Track: video, DTS: dts, PTS: dts.Add(shift * time.Millisecond), Key: n%25 == 0, Data: []byte{0, 0, 0, 1, byte(n)}})
		}
		for ; audio != nil && heard < dts.Add(40*time.Millisecond); heard = heard.Add(21333 * time.Microsecond) {
			sink.Write(&media.Packet{Track: audio, DTS: heard, PTS: heard, Key: true, Data: []byte{9, byte(n)}})
		}
	}
}

// recorded runs a recorder over what write does, and gives its folder.
func recorded(t *testing.T, dir string, room func() bool, write func(r *Recorder)) State {
	t.Helper()
	r, err := New(Config{Dir: dir, Source: "cam1", Room: room})
	require.NoError(t, err)
	write(r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, r.Run(ctx))
	return r.State()
}

func inspected(t *testing.T, path string) Info {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	stat, err := file.Stat()
	require.NoError(t, err)
	info, err := Inspect(file, stat.Size())
	require.NoError(t, err)
	return info
}

// units are the access units of a track in a file, with their presentation times.
func units(t *testing.T, path string, track uint32) (times []int64, data [][]byte) {
	t.Helper()
	file, err := mp4.ReadMP4File(path)
	require.NoError(t, err)
	next := uint64(0)
	for _, segment := range file.Segments {
		for _, fragment := range segment.Fragments {
			for i, traf := range fragment.Moof.Trafs {
				if traf.Tfhd.TrackID != track {
					continue
				}
				require.GreaterOrEqual(t, traf.Tfdt.BaseMediaDecodeTime(), next)
				_ = i
				samples, err := fragment.GetFullSamples(file.Moov.Mvex.Trexs[track-1])
				require.NoError(t, err)
				for _, s := range samples {
					times, data = append(times, s.PresentationTime()), append(data, s.Data)
					next = s.DecodeTime + uint64(s.Dur)
				}
			}
		}
	}
	return times, data
}

func TestRecorderKeepsWhatASourceSends(t *testing.T) {
	dir := t.TempDir()
	state := recorded(t, dir, nil, func(r *Recorder) { source(r, picture(1), sound(2), noon, 5) })
	require.Equal(t, State{}, state)
	path := filepath.Join(dir, "cam1-1.mp4")
	info := inspected(t, path)
	require.Equal(t, noon, info.Start)
	require.True(t, info.Finished)
	require.Equal(t, []string{"avc1", "mp4a"}, info.Codecs)
	require.InDelta(t, 5*time.Second, info.Duration, float64(50*time.Millisecond))
	times, data := units(t, path, 1)
	require.Len(t, data, 125)
	for n, unit := range data {
		require.Equal(t, []byte{0, 0, 0, 1, byte(n)}, unit)
	}
	require.Equal(t, int64(40*90), times[0])
	require.Equal(t, int64(40*90+40*90), times[1])
	require.Equal(t, int64(80*90+160*90), times[2])
	require.Equal(t, int64(120*90), times[3])
	whole, err := mp4.ReadMP4File(path)
	require.NoError(t, err)
	require.InDelta(t, 5*movieTimescale, whole.Moov.Mvex.Mehd.FragmentDuration, 0.05*movieTimescale)
	require.Len(t, whole.Mfra.Tfras, 1)
	require.Len(t, whole.Mfra.Tfra.Entries, 5)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, entry := range whole.Mfra.Tfra.Entries {
		require.Equal(t, "moof", string(raw[entry.MoofOffset+4:entry.MoofOffset+8]))
	}
}

func TestAnotherConfigurationBeginsAnotherFile(t *testing.T) {
	at := func(seconds int) media.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for name, test := range map[string]struct {
		write func(r *Recorder)
		files [][]string
	}{
		"another picture": {func(r *Recorder) {
			source(r, picture(1), sound(2), at(0), 3)
			source(r, picture(2), sound(2), at(3), 3)
		}, [][]string{{"avc1", "mp4a"}, {"avc1", "mp4a"}}},
		"the same again after a pause": {func(r *Recorder) {
			source(r, picture(1), sound(2), at(0), 3)
			source(r, picture(1), sound(2), at(30), 3)
		}, [][]string{{"avc1", "mp4a"}}},
		"sound that comes late": {func(r *Recorder) {
			source(r, picture(1), nil, at(0), 3)
			source(r, picture(1), sound(2), at(3), 3)
		}, [][]string{{"avc1"}, {"avc1", "mp4a"}}},
		"sound that changes": {func(r *Recorder) {
			source(r, nil, sound(2), at(0), 3)
			source(r, nil, sound(1), at(3), 3)
		}, [][]string{{"mp4a"}, {"mp4a"}}},
		"what no file can hold": {func(r *Recorder) {
			source(r, &media.Track{ID: "video", Kind: media.Video, Codec: media.MPEG2}, sound(2), at(0), 3)
		}, [][]string{{"mp4a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			state := recorded(t, dir, nil, test.write)
			require.Equal(t, name == "what no file can hold", state.Fault != "")
			require.Zero(t, state.Dropped)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, len(test.files))
			for i, codecs := range test.files {
				require.Equal(t, codecs, inspected(t, filepath.Join(dir, NameOf("cam1", i+1))).Codecs)
			}
			if name == "sound that comes late" {
				info := inspected(t, filepath.Join(dir, NameOf("cam1", 2)))
				require.Equal(t, at(3), info.Start)
				_, heard := units(t, filepath.Join(dir, NameOf("cam1", 2)), 2)
				require.InDelta(t, 3*48000/1024, len(heard), 2, "none was lost")
			}
			if name == "the same again after a pause" {
				times, data := units(t, filepath.Join(dir, NameOf("cam1", 1)), 1)
				require.Len(t, data, 150)
				require.Equal(t, int64(30*90000+40*90), times[75], "it lies where it was sent")
			}
		})
	}
}

// A process that ends at any byte costs the last fragment; the next recorder of
// the folder finishes the file and goes on in another.
func TestWhatBrokeOffIsFinished(t *testing.T) {
	dir := t.TempDir()
	recorded(t, dir, nil, func(r *Recorder) { source(r, picture(1), sound(2), noon, 4) })
	path := filepath.Join(dir, "cam1-1.mp4")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	third := bytes.Index(whole, []byte("mfra")) - 4
	last := bytes.LastIndex(whole[:third], []byte("prft")) - 4
	for cut := last; cut <= third; cut += 37 {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		require.NoError(t, Repair(path))
		info := inspected(t, path)
		require.Equal(t, int64(last), info.Bytes, "cut at %d", cut)
		require.Equal(t, noon, info.Start)
		read, err := mp4.ReadMP4File(path)
		require.NoError(t, err)
		require.InDelta(t, info.Duration.Seconds()*movieTimescale, read.Moov.Mvex.Mehd.FragmentDuration, 10)
	}
	recorded(t, dir, nil, func(r *Recorder) { source(r, picture(1), sound(2), noon.Add(time.Minute), 2) })
	require.Equal(t, noon.Add(time.Minute), inspected(t, filepath.Join(dir, "cam1-2.mp4")).Start)
}

func TestAFullVolumeCostsPacketsAndIsSaid(t *testing.T) {
	dir, room := t.TempDir(), false
	state := recorded(t, dir, func() bool { return room }, func(r *Recorder) { source(r, picture(1), nil, noon, 2) })
	require.Equal(t, int64(50), state.Dropped)
	require.Contains(t, state.Fault, "full")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	state = recorded(t, dir, nil, func(r *Recorder) {
		big := &media.Packet{Track: picture(1), DTS: noon, PTS: noon, Key: true, Data: make([]byte, queueBytes)}
		r.Write(big)
		source(r, picture(1), nil, noon.Add(time.Second), 1)
	})
	require.Positive(t, state.Dropped, "the queue is bounded")
}

// Another program reads what comes from a real encoder, B-frames and all.
func TestSoundAloneGoesOnAfterAStall(t *testing.T) {
	dir := t.TempDir()
	r, err := New(Config{Dir: dir, Source: "cam1"})
	require.NoError(t, err)
	for n := range 3 { // more than a disk that stands still leaves room for
		at := noon.Add(time.Duration(n) * time.Second)
		r.Write(&media.Packet{Track: sound(2), DTS: at, PTS: at, Key: true, Data: make([]byte, queueBytes/2)})
	}
	require.EqualValues(t, 1, r.State().Dropped)
	r.queue, r.bytes = nil, 0 // the disk goes on
	source(r, nil, sound(2), noon.Add(10*time.Second), 2)
	require.EqualValues(t, 1, r.State().Dropped)
	require.NotEmpty(t, r.queue)
}

func TestPlayersReadIt(t *testing.T) {
	ffprobe, err := exec.LookPath("ffprobe")
	if err != nil {
		t.Skip("no ffprobe program")
	}
	for name, codecs := range map[string][]string{
		"avc and aac":  {"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac"},
		"hevc":         {"-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-c:a", "aac"},
		"vp9 and opus": {"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"},
		"av1":          {"-c:v", "libsvtav1", "-preset", "12", "-c:a", "libopus"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			from := filepath.Join(dir, "from.mp4")
			args := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=3", "-f", "lavfi", "-i", "sine=duration=3:sample_rate=48000"}
			args = append(append(args, codecs...), "-pix_fmt", "yuv420p", "-g", "25", from)
			if said, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
				t.Skipf("this ffmpeg cannot: %s", said)
			}
			recorded(t, dir, nil, func(r *Recorder) { replay(t, from, r) })
			path := filepath.Join(dir, "cam1-1.mp4")
			out, err := exec.Command(ffprobe, "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", path).CombinedOutput()
			require.NoError(t, err, string(out))
			require.Equal(t, "75", strings.Trim(strings.TrimSpace(string(out)), ","))
			out, err = exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-").CombinedOutput()
			require.NoError(t, err, string(out))
			require.Empty(t, string(out))
		})
	}
}

// replay gives the access units of a progressive MP4 file to a sink.
func replay(t *testing.T, path string, sink media.Sink) {
	file, err := mp4.ReadMP4File(path)
	require.NoError(t, err)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var packets []*media.Packet
	for _, trak := range file.Moov.Traks {
		stbl, scale := trak.Mdia.Minf.Stbl, int64(trak.Mdia.Mdhd.Timescale)
		track := trackOf(t, trak)
		for n := uint32(1); n <= stbl.Stsz.SampleNumber; n++ {
			dts, _ := stbl.Stts.GetDecodeTime(n)
			shift := int32(0)
			if stbl.Ctts != nil {
				shift = stbl.Ctts.GetCompositionTimeOffset(n)
			}
			at := func(ticks int64) media.Time { return noon + media.TimeOfTicks(ticks, scale) }
			p := &media.Packet{Track: track, DTS: at(int64(dts)), PTS: at(int64(dts) + int64(shift)), Data: sampleOf(stbl, raw, n)}
			p.Key = track.Kind == media.Audio || stbl.Stss == nil || stbl.Stss.IsSyncSample(n)
			packets = append(packets, p)
		}
	}
	for at := noon; at < noon.Add(4*time.Second); at = at.Add(time.Millisecond) {
		for _, p := range packets {
			if p.DTS >= at && p.DTS < at.Add(time.Millisecond) {
				sink.Write(p)
			}
		}
	}
}

func sampleOf(stbl *mp4.StblBox, raw []byte, n uint32) []byte {
	chunk, first, err := stbl.Stsc.ChunkNrFromSampleNr(int(n))
	if err != nil {
		panic(err)
	}
	offset := uint64(0)
	if stbl.Stco != nil {
		offset = uint64(stbl.Stco.ChunkOffset[chunk-1])
	} else {
		offset = stbl.Co64.ChunkOffset[chunk-1]
	}
	for i := first; i < int(n); i++ {
		offset += uint64(stbl.Stsz.GetSampleSize(i))
	}
	return raw[offset : offset+uint64(stbl.Stsz.GetSampleSize(int(n)))]
}

func trackOf(t *testing.T, trak *mp4.TrakBox) *media.Track {
	payload := func(box mp4.Box) []byte {
		var out bytes.Buffer
		require.NoError(t, box.Encode(&out))
		return out.Bytes()[8:]
	}
	switch entry := trak.Mdia.Minf.Stbl.Stsd.Children[0].(type) {
	case *mp4.VisualSampleEntryBox:
		track := &media.Track{ID: "video", Kind: media.Video, Width: int(entry.Width), Height: int(entry.Height)}
		switch entry.Type() {
		case "avc1":
			track.Codec, track.Config = media.H264, payload(entry.AvcC)
		case "hvc1":
			track.Codec, track.Config = media.HEVC, payload(entry.HvcC)
		case "av01":
			track.Codec, track.Config = media.AV1, payload(entry.Av1C)
		case "vp09":
			track.Codec = media.VP9
		}
		return track
	case *mp4.AudioSampleEntryBox:
		track := &media.Track{ID: "audio", Kind: media.Audio, SampleRate: 48000, Channels: int(entry.ChannelCount)}
		if entry.Type() == "Opus" {
			track.Codec, track.Config = media.Opus, payload(entry.Dops)
		} else {
			track.Codec, track.Config = media.AAC, entry.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
		}
		return track
	}
	require.Fail(t, "unknown entry")
	return nil
}

func FuzzInspect(f *testing.F) {
	dir := f.TempDir()
	r, err := New(Config{Dir: dir, Source: "cam1"})
	require.NoError(f, err)
	source(r, picture(1), sound(2), noon, 2)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(f, r.Run(ctx))
	whole, err := os.ReadFile(filepath.Join(dir, "cam1-1.mp4"))
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := Inspect(bytes.NewReader(data), int64(len(data)))
		if err == nil {
			require.LessOrEqual(t, info.Bytes, int64(len(data)))
		}
	})
}
