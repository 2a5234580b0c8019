package worker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

func TestWorkerThatBreaksTheTimelineIsRefused(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(s *stage, p *StreamPacket)
		first bool // at the start of the worker
	}{
		{"skips a frame", func(s *stage, p *StreamPacket) {
			p.Packet.PTS, p.Packet.DTS = s.rate.At(s.frame+1), s.rate.At(s.frame+1)
		}, false},
		{"repeats a frame", func(s *stage, p *StreamPacket) {
			p.Packet.PTS, p.Packet.DTS = s.rate.At(s.frame-1), s.rate.At(s.frame-1)
		}, false},
		{"off the grid", func(_ *stage, p *StreamPacket) { p.Packet.PTS++; p.Packet.DTS++ }, false},
		{"reordered", func(s *stage, p *StreamPacket) { p.Packet.DTS-- }, false},
		{"negative time", func(_ *stage, p *StreamPacket) { p.Packet.PTS, p.Packet.DTS = -1, -1 }, false},
		{"far future", func(_ *stage, p *StreamPacket) { p.Packet.PTS, p.Packet.DTS = 1<<62, 1<<62 }, false},
		{"empty", func(_ *stage, p *StreamPacket) { p.Packet.Data = nil }, false},
		{"huge", func(_ *stage, p *StreamPacket) { p.Packet.Data = make([]byte, maxUnit+1) }, false},
		{"unknown rendition", func(_ *stage, p *StreamPacket) { p.Stream = 3 }, false},
		{"no IDR first", func(_ *stage, p *StreamPacket) { p.Packet.Key = false }, true},
		{"starts late", func(s *stage, p *StreamPacket) {
			p.Packet.PTS, p.Packet.DTS = s.rate.At(s.frame+1), s.rate.At(s.frame+1)
		}, true},
		{"starts early", func(s *stage, p *StreamPacket) {
			p.Packet.PTS, p.Packet.DTS = s.rate.At(s.frame-1), s.rate.At(s.frame-1)
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, rate30, func(s *stage) {
				s.attach()
				if !test.first {
					s.work(5)
				}
				s.wait(s.frame)
				err := s.encoders.tick(s.frame, func(p *StreamPacket) error {
					test.spoil(s, p)
					return s.write(p)
				})
				require.ErrorIs(t, err, ErrContinuity)
				s.continuity.Detach()
				s.wait(s.frame + 100)
			})
		})
	}
	t.Run("no IDR at a boundary", func(t *testing.T) {
		onStage(t, rate30, func(s *stage) {
			s.attach()
			s.workUntil(s.first + testGOP - 1)
			s.wait(s.frame)
			require.ErrorContains(t, s.encoders.tick(s.frame, func(p *StreamPacket) error {
				p.Packet.Key = false
				return s.write(p)
			}), "no IDR")
		})
	})
	t.Run("ahead of the clock", func(t *testing.T) {
		onStage(t, rate30, func(s *stage) {
			s.attach()
			s.wait(s.first)
			var err error
			for err == nil {
				err = s.encoders.tick(s.frame, s.write)
				s.frame++
			}
			require.ErrorContains(t, err, "ahead")
			require.Equal(t, s.first+30, s.frame-1)
		})
	})
	t.Run("before its start", func(t *testing.T) {
		onStage(t, rate30, func(s *stage) {
			require.ErrorIs(t, s.continuity.Write(0, &media.Packet{}), ErrContinuity)
		})
	})
}

func TestCompatible(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		spoiled := func(spoil func(r []Rendition)) []Rendition {
			renditions := fakeRenditions(rate30, testGOP)
			spoil(renditions)
			return renditions
		}
		change := func(i int, change func(track *media.Track)) func([]Rendition) {
			return func(r []Rendition) {
				track := *r[i].Track
				change(&track)
				r[i].Track = &track
			}
		}
		require.NoError(t, s.continuity.Compatible(spoiled(func([]Rendition) {})))
		require.NoError(t, s.continuity.Compatible(spoiled(change(0, func(track *media.Track) { track.Config = avcc(unhex(blackSPS)) }))), "a subset")
		for name, spoil := range map[string]func([]Rendition){
			"another id":        func(r []Rendition) { r[0].ID = "x" },
			"another size":      change(0, func(track *media.Track) { track.Width++ }),
			"another set":       change(0, func(track *media.Track) { track.Config = avcc(unhex(blackSPS), unhex("68ee0fcc")) }),
			"no avcC":           change(0, func(track *media.Track) { track.Config = []byte{1} }),
			"another ASC":       change(2, func(track *media.Track) { track.Config = []byte{0x12, 0x10} }),
			"another codec":     change(2, func(track *media.Track) { track.Codec = media.Opus }),
			"another rendition": func(r []Rendition) { r[0], r[1] = r[1], r[0] },
		} {
			require.ErrorIs(t, s.continuity.Compatible(spoiled(spoil)), ErrContinuity, name)
		}
		require.ErrorIs(t, s.continuity.Compatible(fakeRenditions(rate30, testGOP)[:2]), ErrContinuity)
	})
}

func TestFillerMustCarryTheTimeline(t *testing.T) {
	for name, spoil := range map[string]func(r *Rendition){
		"none":             func(r *Rendition) { r.Filler = nil },
		"one variant":      func(r *Rendition) { r.Filler = r.Filler[:1] },
		"short":            func(r *Rendition) { r.Filler[1] = r.Filler[1][:testGOP-1] },
		"an empty unit":    func(r *Rendition) { r.Filler[0][3] = nil },
		"same idr_pic_id":  func(r *Rendition) { r.Filler[1] = r.Filler[0] },
		"no parameter set": func(r *Rendition) { r.Track = &media.Track{Kind: media.Video} },
	} {
		t.Run(name, func(t *testing.T) {
			renditions := fakeRenditions(rate30, testGOP)
			spoil(&renditions[0])
			_, err := NewContinuity(ContinuityConfig{Rate: rate30, GOPFrames: testGOP, Renditions: renditions})
			require.ErrorContains(t, err, `"v2"`)
		})
	}
	_, err := NewContinuity(ContinuityConfig{Rate: rate30})
	require.Error(t, err)
}
