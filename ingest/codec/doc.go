// Package codec makes tracks of the configuration records that containers carry,
// and access units of their samples. RTMP and MP4 share them.
package codec

// The IDs of the tracks of a feed that has one of each kind.
const (
	VideoID = "video"
	AudioID = "audio"
)
