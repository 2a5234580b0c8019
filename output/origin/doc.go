// Package origin serves channels over HTTP to CDNs and players: LL-HLS
// playlists with blocking reload, MPDs, init sections, segments and parts. Each
// document is built once per change of the store and shared by everyone who
// waits for it; nothing here shares a lock with the packager.
package origin
