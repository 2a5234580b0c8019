package appliance

import (
	"millrace/api"
	"millrace/ingest"
	"millrace/internal/media"
)

// SourceStats implements api.Sources.
func (s *sources) SourceStats(id string) (api.SourceStats, error) {
	s.mu.RLock()
	entry, err := s.find(id)
	s.mu.RUnlock()
	if err != nil {
		return api.SourceStats{}, err
	}
	if entry.feed == nil {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return api.SourceStats{Id: id, State: s.view(entry, false).Value.State, Protocol: string(entry.stored.Value.Kind)}, nil
	}
	stats := statsOf(entry.feed.State())
	if s.link != nil {
		s.link(id, &stats)
	}
	return stats, nil
}

func statsOf(shot ingest.Snapshot) api.SourceStats {
	stats := api.SourceStats{
		Id: shot.Source, State: api.SourceState(shot.State), Protocol: shot.Kind, Remote: shot.Remote,
		Bytes: int64(shot.Bytes), Bitrate: int64(shot.Bitrate), Packets: int64(shot.Packets), Dropped: int64(shot.Refused),
		LateVideo: int64(shot.LateVideo), LateAudio: int64(shot.LateAudio),
		LatencyMs: int(shot.Timeline.Latency.Milliseconds()), Clock: api.SourceStatsClockArrival,
		Video: trackInfo(shot.Video), Audio: trackInfo(shot.Audio),
	}
	if shot.Timeline.BySender {
		stats.Clock = api.SourceStatsClockSender
	}
	if shot.Since != 0 {
		stats.ConnectedAt = api.Timestamp{Time: shot.Since.UTC()}
	}
	if shot.Reason != nil {
		stats.Reason = shot.Reason.Error()
	}
	return stats
}

func trackInfo(track *media.Track) api.TrackInfo {
	if track == nil {
		return api.TrackInfo{}
	}
	info := api.TrackInfo{
		Codec: string(track.Codec), Width: track.Width, Height: track.Height,
		SampleRate: track.SampleRate, Channels: track.Channels,
	}
	if track.Rate.Num != 0 {
		info.Rate = track.Rate.String()
	}
	return info
}
