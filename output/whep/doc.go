// Package whep lets browsers watch by WebRTC (draft-ietf-wish-whep). A Program
// takes the packets of a channel's ladder and of its Opus, makes RTP payloads
// of each once, and hands them to its viewers; nothing is encoded for them. A
// viewer has the rung that its network carries, changed at keyframes, and one
// that is slow or loses packets hurts only itself.
package whep
