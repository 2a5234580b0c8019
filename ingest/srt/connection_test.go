package srt

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
)

// taken is a session that remembers how long each unit waited.
type taken struct{ waits map[string][]time.Duration }

func (s *taken) Write(u ingest.AccessUnit) {
	s.waits[u.Track.ID] = append(s.waits[u.Track.ID], u.Wait)
}

func (s *taken) Close(error) {}

func TestUnitsOfOnePacketSayHowLongTheyWaited(t *testing.T) {
	session := &taken{waits: map[string][]time.Duration{}}
	c := &connection{session: session}
	audio, video := &media.Track{ID: "a"}, &media.Track{ID: "v"}
	const frame = 20 * time.Millisecond
	for n := range 3 {
		c.take(audio, time.Duration(n)*frame, time.Duration(n)*frame, true, []byte{1})
	}
	c.take(video, time.Second, time.Second, true, []byte{1})
	c.write()
	c.take(audio, 3*frame, 3*frame, true, []byte{1})
	c.write()
	require.Equal(t, map[string][]time.Duration{"a": {2 * frame, frame, 0, 0}, "v": {0}}, session.waits)
	require.EqualValues(t, 5, c.units)
}
