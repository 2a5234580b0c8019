package reencode

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/child"
	"millrace/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pair(t *testing.T) (near, far *child.Conn) {
	t.Helper()
	near, far, err := child.Pair()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

func task() Task {
	return Task{
		Track:   &media.Track{ID: "clip", Kind: media.Video, Codec: media.H264, Config: []byte{1, 2}, Width: 16, Height: 8, Rate: media.Rate{Num: 25, Den: 1}},
		Bitrate: 1000, Units: [][]byte{{1}, {2, 3}, {4}}, From: 1, To: 3, Next: []byte{9},
	}
}

func TestTaskAndResultTravel(t *testing.T) {
	near, far := pair(t)
	sent := task()
	require.NoError(t, SendTask(near, &sent))
	got, _, err := ReceiveTask(far)
	require.NoError(t, err)
	require.Equal(t, sent, *got)
	result := Result{ID: 3, Units: [][]byte{{1, 2}, {3}}}
	require.NoError(t, SendResult(far, &result))
	back, err := ReceiveResult(near)
	require.NoError(t, err)
	require.Equal(t, result, *back)
}

func TestSheetTravels(t *testing.T) {
	near, far := pair(t)
	a, b := task().Track, &media.Track{Codec: media.VP9, Width: 4, Height: 2}
	sent := Sheet{Columns: 2, Rows: 2, Width: 16, Height: 8, Stills: []Still{{a, []byte{1}}, {}, {b, []byte{2, 3}}}}
	require.NoError(t, SendSheet(near, &sent))
	_, got, err := ReceiveTask(far)
	require.NoError(t, err)
	require.Len(t, got.Stills, 4)
	require.Equal(t, []byte{1}, got.Stills[0].Data)
	require.Equal(t, media.H264, got.Stills[0].Track.Codec)
	require.Empty(t, got.Stills[1].Data)
	require.Equal(t, []byte{2, 3}, got.Stills[2].Data)
	require.Equal(t, media.VP9, got.Stills[2].Track.Codec)
	sent.Columns = 200
	require.NoError(t, SendSheet(near, &sent))
	_, _, err = ReceiveTask(far)
	require.ErrorIs(t, err, ErrProtocol)
}

func TestConverse(t *testing.T) {
	for name, answer := range map[string]Result{
		"too few units":      {Units: [][]byte{{1}}},
		"another task's":     {ID: 7, Units: [][]byte{{1}, {2}}},
		"a refusal":          {Error: "no"},
		"what was asked for": {Units: [][]byte{{1}, {2}}},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t)
			done := make(chan error, 1)
			go func() {
				_, _, err := ReceiveTask(far)
				if err == nil {
					err = SendResult(far, &answer)
				}
				done <- err
			}()
			results, err := Converse(near, []Task{task()})
			require.NoError(t, <-done)
			if name == "what was asked for" {
				require.NoError(t, err)
				require.Equal(t, [][][]byte{answer.Units}, results)
			} else {
				require.Error(t, err)
			}
		})
	}
	near, far := pair(t)
	require.NoError(t, far.Close())
	_, err := Converse(near, []Task{task()})
	require.Error(t, err, "the process is gone")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0c{\"sizes\":[1]}x"))
	f.Add([]byte("\x00\x00\x00\x37{\"id\":1,\"from\":0,\"to\":1,\"sizes\":[1],\"next\":1,\"width\":2}xy"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if task, err := parseTask(payload); err == nil {
			require.LessOrEqual(t, task.To, len(task.Units))
			require.Less(t, task.From, task.To)
		}
		_, _ = parseResult(payload)
		if sheet, err := parseSheet(payload); err == nil {
			require.Len(t, sheet.Stills, sheet.Columns*sheet.Rows)
		}
	})
}
