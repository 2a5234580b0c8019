package appliance

import (
	"context"

	"millrace/ingest"
	"millrace/ingest/whip"
	"millrace/internal/rtc"
)

// webrtc is the port that guests and viewers share, and what is served on it.
type webrtc struct {
	transport *rtc.Transport
	whip      *whip.Server
}

// openWebRTC makes the transport and its endpoints; nil where WebRTC is off.
func (n *Node) openWebRTC() (*webrtc, error) {
	if n.listeners.webrtc == nil {
		return nil, nil
	}
	announce, err := rtc.ParseAnnounce(n.config.WebRTC.Announce)
	if err != nil {
		return nil, err
	}
	transport := rtc.New(rtc.Config{
		UDP: n.listeners.webrtc, TCP: n.listeners.webrtcTCP, Announce: announce, Log: n.log,
	})
	return &webrtc{transport: transport, whip: whip.New(whip.Config{
		Transport: transport, Log: n.log,
		Authorize: func(r whip.Request) error { return n.sources.authorize(r.Source, r.Key) },
		Accept: func(r whip.Request) (ingest.Session, error) {
			return n.sources.publish(r.Source, r.Key, "whip", r.Remote.String())
		},
	})}, nil
}

// Run carries every WebRTC session until the context ends.
func (w *webrtc) Run(ctx context.Context) error { return w.transport.Run(ctx) }
