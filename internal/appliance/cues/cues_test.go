package cues

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

func list(t *testing.T, rate string) List {
	t.Helper()
	parsed, err := media.ParseRate(rate)
	require.NoError(t, err)
	start := parsed.Index(media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)))
	return List{
		Title: "The Ümlaut\nshow", Rate: parsed, Start: start, End: start + 1000,
		Shots: []Shot{{Frame: start, Name: "grid"}, {Frame: start + 30, Gap: true}, {Frame: start + 60, Name: "solo"}},
		Marks: []Mark{{start + 10, "goal --> <b>\n\nnow"}, {start + 60, "second half"}, {start + 70, "é"}},
	}
}

func TestEDL(t *testing.T) {
	require.Equal(t, "TITLE: The ?mlaut show\r\nFCM: NON-DROP FRAME\r\n"+
		"\r\n001  AX       AA/V  C        12:00:00:00 12:00:01:05 01:00:00:00 01:00:01:05\r\n"+
		"* FROM CLIP NAME: grid\r\n* LOC: 01:00:00:10 RED     goal --> <b>  now\r\n"+
		"\r\n002  BL       AA/V  C        00:00:00:00 00:00:01:05 01:00:01:05 01:00:02:10\r\n"+
		"\r\n003  AX       AA/V  C        12:00:02:10 12:00:40:00 01:00:02:10 01:00:40:00\r\n"+
		"* FROM CLIP NAME: solo\r\n* LOC: 01:00:02:10 RED     second half\r\n* LOC: 01:00:02:20 RED     ?\r\n",
		string(list(t, "25").EDL()))
	require.Contains(t, string(list(t, "30000/1001").EDL()), "01:00:00:00 01:00:01:00\r\n", "30 frames are a second of non-drop timecode")
}

func TestWebVTT(t *testing.T) {
	require.Equal(t, "WEBVTT\n"+
		"\n1\n00:00:00.000 --> 00:00:00.400\ngrid\n"+
		"\n2\n00:00:00.400 --> 00:00:02.400\ngoal --&gt; &lt;b&gt; now\n"+
		"\n3\n00:00:02.400 --> 00:00:02.800\nsecond half\n"+
		"\n4\n00:00:02.800 --> 00:00:40.000\né\n",
		string(list(t, "25").WebVTT()))
}
