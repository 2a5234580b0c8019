package main

import (
	"bytes"
	"testing"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"
)

// audioMedia is an init section of AAC and a chunk of two samples.
func audioMedia(t testing.TB) (section, chunk []byte) {
	t.Helper()
	made := mp4.CreateEmptyInit()
	require.NoError(t, made.AddEmptyTrack(48000, "audio", "und").SetAACDescriptor(aac.AAClc, 48000))
	var out bytes.Buffer
	require.NoError(t, made.Encode(&out))
	fragment, err := mp4.CreateFragment(1, 1)
	require.NoError(t, err)
	for i := range uint64(2) {
		fragment.AddFullSample(mp4.FullSample{
			Sample: mp4.NewSample(mp4.SyncSampleFlags, 1024, 3, 0), DecodeTime: 1<<33 + 1024*i, Data: []byte{1, 2, 3},
		})
	}
	var media bytes.Buffer
	require.NoError(t, fragment.Encode(&media))
	return out.Bytes(), media.Bytes()
}

func TestReadMedia(t *testing.T) {
	section, data := audioMedia(t)
	in, err := ReadInit(section)
	require.NoError(t, err)
	require.Equal(t, "mp4a.40.2", in.Codec)
	require.Equal(t, 2, in.Channels)
	require.EqualValues(t, 48000, in.Timescale)
	chunks, err := ReadChunks(append(bytes.Clone(data), data...), in, true)
	require.NoError(t, err)
	require.Len(t, chunks, 2)
	require.EqualValues(t, 1<<33, chunks[0].Start)
	require.EqualValues(t, 2048, chunks[0].Duration)
	require.True(t, chunks[0].FirstSync)
	require.True(t, chunks[0].BaseIsMoof)
	require.Equal(t, 1, chunks[0].Truns)
	require.EqualValues(t, 1, chunks[0].Version)
	require.False(t, chunks[0].hasBrand("slat"))
}

// A range that ends with a picture is read as if its mdat went on.
func TestCompletedPads(t *testing.T) {
	_, data := audioMedia(t)
	padded := completed(data[:len(data)-3])
	require.Len(t, padded, len(data))
	require.Equal(t, data[:len(data)-3], padded[:len(data)-3])
	require.Equal(t, data, completed(data))
	require.Equal(t, []byte{0, 0}, completed([]byte{0, 0}))
}

func FuzzReadMedia(f *testing.F) {
	section, data := audioMedia(f)
	f.Add(section, data)
	known, err := ReadInit(section)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, section, data []byte) {
		_, _ = ReadInit(section)
		for _, audio := range []bool{false, true} {
			_, _ = ReadChunks(data, known, audio)
		}
	})
}
