package appliance

import (
	"fmt"
	"net"

	"millrace/api"
)

// shownHost is the host that people are told for a bound address: what they
// bound, or this machine's first address of its own.
func shownHost(bound string) string {
	host, _, err := net.SplitHostPort(bound)
	ip := net.ParseIP(host)
	if err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
		return host
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "localhost"
	}
	for _, address := range addresses {
		if n, ok := address.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "localhost"
}

// shown is a bound address with a host that people can use.
func shown(bound string) string {
	_, port, err := net.SplitHostPort(bound)
	if err != nil {
		return bound
	}
	return net.JoinHostPort(shownHost(bound), port)
}

// addresses says where a source's publisher connects, key included.
func (n *Node) addresses(id, key string) api.IngestAddresses {
	var a api.IngestAddresses
	l := n.listeners
	if l.webrtc != nil {
		a.Whip.Url = n.mediaURL() + "/whip/" + id
		a.Whip.Token = key
		a.Guest.Url = n.mediaURL() + "/g/" + id + "#key=" + key
	}
	if l.rtmp != nil {
		a.Rtmp.Server = fmt.Sprintf("rtmp://%s/live", shown(l.rtmp.Addr().String()))
		a.Rtmp.StreamKey = key
	}
	if l.srt != "" {
		a.Srt.Url = fmt.Sprintf("srt://%s?streamid=#!::r=%s,m=publish,s=%s", shown(l.srt), id, key)
	}
	return a
}
