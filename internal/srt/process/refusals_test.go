package process

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/child"
	"millrace/internal/srt"
	"millrace/internal/srt/srttest"
)

func TestTheServerHearsOfRefusals(t *testing.T) {
	near, far, err := child.Pair()
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- Serve(far) }()
	t.Cleanup(func() {
		require.NoError(t, near.Send(srt.KindQuit))
		require.NoError(t, <-done)
		require.NoError(t, near.Close())
		require.NoError(t, far.Close())
	})
	require.NoError(t, srt.SendJSON(near, srt.KindConfig, srt.Config{Listen: "127.0.0.1:0", LatencyMs: 120}))
	kind, payload, err := near.Receive()
	require.NoError(t, err)
	require.Equal(t, srt.KindListening, kind)
	listening, err := srt.ReadJSON[srt.Listening](payload)
	require.NoError(t, err)
	require.NoError(t, srt.SendJSON(near, srt.KindTable, table()))

	told := make(chan srt.Refused, 100)
	go func() {
		defer close(told)
		for {
			kind, payload, err := near.Receive()
			if err != nil {
				return
			}
			if kind == srt.KindRefused {
				refused, err := srt.ReadJSON[srt.Refused](payload)
				if err == nil && !bytes.Contains(payload, []byte(keyOne)) {
					told <- refused
				}
			}
		}
	}()
	require.Eventually(t, func() bool { // the table arrives after the listener is up
		_, err := srttest.Dial(listening.Address, "publish:cam1:"+keyTwo, "")
		return err == srttest.RejectError(srt.RejectKey)
	}, 5*time.Second, 10*time.Millisecond)
	_, err = srttest.Dial(listening.Address, "publish:cam9:"+keyOne, "")
	require.Equal(t, srttest.RejectError(srt.RejectUnknown), err)
	var got []srt.Refused
	require.Eventually(t, func() bool {
		refused := <-told
		require.Regexp(t, `^127\.0\.0\.1:\d+$`, refused.Remote)
		refused.Remote = ""
		got = append(got, refused)
		return refused.Code == srt.RejectUnknown
	}, 5*time.Second, time.Millisecond)
	require.Contains(t, got, srt.Refused{Code: srt.RejectKey, Source: "cam1"})
	require.Equal(t, srt.Refused{Code: srt.RejectUnknown, Source: "cam9"}, got[len(got)-1])
}

func TestRefusalsNeverWait(t *testing.T) {
	r := newRefusals()
	for range refusalsKept + 36 {
		r.add(refusal{code: srt.RejectKey})
	}
	require.EqualValues(t, 36, r.omitted.Load())
	near, far, err := child.Pair()
	require.NoError(t, err)
	done, told := make(chan struct{}), make(chan struct{})
	go func() { r.tell(far, done); close(told) }()
	_, payload, err := near.Receive()
	require.NoError(t, err)
	refused, err := srt.ReadJSON[srt.Refused](payload)
	require.NoError(t, err)
	require.Equal(t, srt.Refused{Code: srt.RejectKey, Omitted: 36}, refused)
	for range refusalsKept - 1 {
		_, _, err := near.Receive()
		require.NoError(t, err)
	}
	close(done)
	<-told
	require.NoError(t, near.Close())
	require.NoError(t, far.Close())
}
