package rtc

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/ice/v4"
)

// maxCandidates is how many addresses of a client are tried at most.
const maxCandidates = 16

// ParseAnnounce reads addresses as the configuration has them: "203.0.113.4",
// "203.0.113.4:30189" or "[2001:db8::1]:30189". Without a port, the port is the
// one that is listened on.
func ParseAnnounce(list []string) ([]netip.AddrPort, error) {
	var announced []netip.AddrPort
	for _, text := range list {
		if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
			announced = append(announced, netip.AddrPortFrom(a.Unmap(), 0))
			continue
		}
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, fmt.Errorf("announced address %q: an IP address, or one with a port, is needed", text)
		}
		announced = append(announced, a)
	}
	return announced, nil
}

// reachable says whether we send connectivity checks to a client's candidate:
// only to the address from which its HTTP request came. Whoever else it names
// has not agreed to hear from us; from its other addresses the client reaches
// us, and is answered there.
func reachable(candidate string, client netip.Addr) bool {
	c, err := ice.UnmarshalCandidate(strings.TrimPrefix(candidate, "candidate:"))
	if err != nil || c.NetworkType().IsTCP() {
		return false
	}
	a, err := netip.ParseAddr(c.Address())
	return err == nil && a.Unmap() == client.Unmap() && c.Port() > 0
}

// announced are the candidates for the addresses that the configuration names:
// host candidates (RFC 8839 §5.1, RFC 6544 §4.5) of a little less priority
// than those of the interfaces.
func announced(list []netip.AddrPort, port int, tcp bool) []string {
	const host = 126 << 24
	var candidates []string
	for i, a := range list {
		port := port
		if a.Port() != 0 {
			port = int(a.Port())
		}
		foundation := 1000 + i
		udp := host + (60000-i)<<8 + 255
		candidates = append(candidates,
			fmt.Sprintf("%d 1 udp %d %s %d typ host", foundation, udp, a.Addr(), port))
		if tcp {
			passive := host + (8000-i)<<8 + 255
			candidates = append(candidates,
				fmt.Sprintf("%d 1 tcp %d %s %d typ host tcptype passive", 2*foundation, passive, a.Addr(), port))
		}
	}
	return candidates
}

// portOf is the number that a "host:port" text ends with.
func portOf(address string) int {
	_, text, _ := cutLast(address, ":")
	port, _ := strconv.Atoi(text)
	return port
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
