package ingest

import "millrace/internal/media"

// Keyframe is the picture that the GOP cache begins with: the newest key frame
// that is due, or nil while there is none.
func (s *Source) Keyframe() *media.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cache.keys) == 0 {
		return nil
	}
	return s.cache.keys[0]
}
