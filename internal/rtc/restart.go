package rtc

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// hear takes the client's candidates; those of no use are left out without a
// word (RFC 9725 §4.3.1). The caller holds mu or is alone.
func (p *Peer) hear(candidates []string) {
	index := uint16(0)
	for _, c := range candidates {
		if p.heard >= maxCandidates || !reachable(c, p.config.Request.Remote.Addr()) {
			continue
		}
		p.heard++
		_ = p.pc.AddICECandidate(webrtc.ICECandidateInit{ // what pion does not like is of no use either
			Candidate: "candidate:" + strings.TrimPrefix(c, "candidate:"), SDPMLineIndex: &index,
		})
	}
}

// apply takes a fragment: candidates, or the credentials of an ICE restart, for
// which it gives the answering fragment.
func (p *Peer) apply(f fragment) (answer string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.credentials == (credentials{}) || f.credentials == p.credentials {
		p.hear(f.candidates)
		return "", nil
	}
	switch p.pc.ICEConnectionState() {
	case webrtc.ICEConnectionStateNew, webrtc.ICEConnectionStateChecking:
		return "", unprocessable("an ICE restart of what is not connected yet")
	}
	p.version++
	if err := p.negotiate(f.credentials, p.streams); err != nil {
		return "", err
	}
	p.credentials = f.credentials
	p.heard = 0
	p.hear(f.candidates)
	return fragmentOf(p.answer)
}

// withStreams declares streams in sections whose offer declared none: pion
// takes those that an offer does not name for ended.
func withStreams(choices []Choice, known []Stream) []Choice {
	if len(known) == 0 {
		return choices
	}
	choices = slices.Clone(choices)
	for i, choice := range choices {
		if len(choice.Layers) > 0 || slices.ContainsFunc(choice.Media.streams, func(a sdp.Attribute) bool { return a.Key == "ssrc" }) {
			continue
		}
		m := *choice.Media
		m.streams = slices.Clone(m.streams)
		for _, s := range known {
			if s.MID == m.MID {
				m.streams = append(m.streams, sdp.Attribute{Key: "ssrc", Value: strconv.FormatUint(uint64(s.SSRC), 10) + " cname:peer"})
			}
		}
		choices[i].Media = &m
	}
	return choices
}

// hasAddress says whether an interface other than loopback is up.
func hasAddress() bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.IsGlobalUnicast()
	})
}
