package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// A rung that a later worker has no encoder for goes on with filler, by the clock, and
// is taken up again by a worker that has one.
func TestWithdrawnRung(t *testing.T) {
	atEveryRate(t, func(s *stage) {
		s.attach()
		s.work(70)
		s.continuity.Detach()
		gone := s.frame
		s.wait(gone + 10)

		renditions := fakeRenditions(s.rate, s.gop)
		s.frame = s.continuity.Attach(renditions, map[string]string{"v2": "HEVC is encoded by cards only"})
		s.encoders = newFakeEncoders(s.rate, s.gop, s.frame)
		refused := 0
		without := func(p *StreamPacket) error {
			if p.Stream == 0 {
				require.ErrorIs(t, s.write(p), ErrContinuity, "it was withdrawn")
				refused++
				return nil
			}
			return s.write(p)
		}
		for range 3 * s.gop {
			s.wait(s.frame)
			require.NoError(t, s.encoders.tick(s.frame, without))
			s.frame++
		}
		require.NotZero(t, refused)
		next, _, _ := s.witness.state()
		require.InDelta(t, s.frame, next["v2"], 2, "filler comes when it is due")
		require.NoError(t, s.continuity.Overdue(time.Second))
		s.continuity.Detach()
		begun := s.frame
		s.attach()
		s.work(100)
		s.requireFiller("v2", gone, s.frame-101)
		_, filler, _ := s.witness.state()
		require.Less(t, len(filler["v1"]), int(s.frame-101-gone), "the other rung is carried")
		require.Greater(t, s.frame, begun)
	})
}

// What only one encoder makes has no parameter sets to join: another configuration is
// another stream.
func TestRungOfOneEncoder(t *testing.T) {
	rendition := fakeRenditions(rate30, testGOP)[0]
	track := *rendition.Track
	track.Codec, track.Config = media.HEVC, []byte("an hvcC")
	rendition.Track = &track
	l, err := newLine(rendition, rate30, testGOP, 0)
	require.NoError(t, err)
	require.NoError(t, l.compatible(rendition))
	other := track
	other.Config = []byte("another")
	require.ErrorContains(t, l.compatible(Rendition{ID: rendition.ID, Track: &other}), "another configuration")
	other.Codec = media.AV1
	require.ErrorContains(t, l.compatible(Rendition{ID: rendition.ID, Track: &other}), "another codec")
	for range 3 * testGOP {
		require.NotEmpty(t, l.fill().Data)
	}
}
