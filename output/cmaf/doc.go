// Package cmaf turns packets of a channel into what HTTP players read: init
// sections and CMAF chunks (ISO/IEC 23000-19), LL-HLS playlists
// (draft-pantos-hls-rfc8216bis-22) and MPDs (ISO/IEC 23009-1). It holds no
// HTTP, no clock and no disk: every name and byte is a function of the packets
// and of the grid of frames since the Unix epoch.
package cmaf
