// Package rtc is what WHIP and WHEP share: one UDP port for everybody and
// ICE-TCP on the same number, the peers behind it, and the HTTP rules by which
// a session is made, changed and ended (RFC 9725, draft-ietf-wish-whep).
//
// A Transport owns the port and every session; an Endpoint is the HTTP side of
// one protocol; a Peer is one connection.
package rtc
