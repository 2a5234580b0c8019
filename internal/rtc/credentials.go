package rtc

import (
	"github.com/pion/sdp/v3"
)

// credentials are one side's of ICE (RFC 8839 §5.4).
type credentials struct{ ufrag, pwd string }

func parseCredentials(s *sdp.SessionDescription, section *sdp.MediaDescription) (c credentials, err error) {
	for _, attribute := range []func(string) (string, bool){s.Attribute, section.Attribute} {
		if v, ok := attribute("ice-ufrag"); ok {
			c.ufrag = v
		}
		if v, ok := attribute("ice-pwd"); ok {
			c.pwd = v
		}
	}
	return c, c.check()
}

func (c credentials) check() error {
	if !iceText(c.ufrag, 4) || !iceText(c.pwd, 22) {
		return malformed("missing or malformed ice-ufrag or ice-pwd")
	}
	return nil
}

// iceText says whether s is so many ice-chars, and 256 at most.
func iceText(s string, least int) bool {
	if len(s) < least || len(s) > 256 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}
