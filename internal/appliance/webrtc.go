package appliance

import (
	"context"

	"millrace/ingest"
	"millrace/ingest/whip"
	"millrace/internal/rtc"
	"millrace/output/whep"
)

// webrtc is the port that guests and viewers share, and what is served on it.
type webrtc struct {
	transport *rtc.Transport
	whip      *whip.Server
	whep      *whep.Server
}

// protocolWHIP is how a source's state names a publisher by WebRTC.
const protocolWHIP = "whip"

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
	return &webrtc{
		transport: transport,
		whip: whip.New(whip.Config{
			Transport: transport, Log: n.log,
			Authorize: func(r whip.Request) error { return n.sources.authorize(r.Source, r.Key) },
			Accept: func(r whip.Request) (ingest.Session, error) {
				return n.sources.publish(r.Source, r.Key, protocolWHIP, r.Remote.String())
			},
		}),
		whep: whep.New(whep.Config{Transport: transport, Clock: n.clock, Authorize: n.mayWatch, Log: n.log}),
	}, nil
}

// viewers is the server of those who watch; nil where WebRTC is off.
func (w *webrtc) viewers() *whep.Server {
	if w == nil {
		return nil
	}
	return w.whep
}

// Run carries every WebRTC session until the context ends.
func (w *webrtc) Run(ctx context.Context) error { return w.transport.Run(ctx) }
