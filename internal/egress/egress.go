// Package egress is how the node goes out to addresses that somebody named: it
// looks at what a name resolved to before it connects, so that nobody reaches
// through the node what only the node reaches.
package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrPrivate says that an address is not of the public internet.
var ErrPrivate = errors.New("the address is in a private network; egress.allowPrivate in the node's configuration allows those")

const dialTimeout = 5 * time.Second

// Dialer connects to public addresses only, or to all. Its check sees each
// address that is connected to, after names are resolved: a name that resolves
// to another address the second time gains nothing.
func Dialer(allowPrivate bool) *net.Dialer {
	d := &net.Dialer{Timeout: dialTimeout}
	if !allowPrivate {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("connect to %q: %w", address, err)
			}
			if !Public(target.Addr()) {
				return fmt.Errorf("connect to %s: %w", target.Addr(), ErrPrivate)
			}
			return nil
		}
	}
	return d
}

// special are the ranges beside those that netip knows that are not globally
// reachable, or that carry another address in them (IANA special-purpose address
// registries for IPv4 and IPv6).
func special() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
	}
}

// Public reports whether an address is of the public internet.
func Public(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	if !address.IsGlobalUnicast() || address.IsPrivate() {
		return false
	}
	for _, prefix := range special() {
		if prefix.Contains(address) {
			return false
		}
	}
	return true
}
