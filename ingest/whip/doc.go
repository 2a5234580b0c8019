// Package whip takes publishers over WHIP (RFC 9725): browsers, OBS and
// GStreamer. What they send is put in order, lost packets are asked for again,
// and whole access units are handed to a Session.
package whip
