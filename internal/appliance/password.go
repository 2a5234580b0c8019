package appliance

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"

	"golang.org/x/crypto/argon2"
)

// password is a password as it is stored: Argon2id (RFC 9106) with its
// parameters, so that they may change.
type password struct {
	Salt   string `json:"salt"` // base64
	Hash   string `json:"hash"` // base64
	Time   uint32 `json:"time"`
	Memory uint32 `json:"memory"` // KiB
}

// OWASP's smallest parameters for Argon2id, which do not show beside a mixer.
const (
	argonTime   = 2
	argonMemory = 19 << 10 // KiB
	argonSize   = 32       // bytes of hash
	saltSize    = 16       // bytes
)

func newPassword(text string) password {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails (crypto/rand)
	p := password{Salt: base64.StdEncoding.EncodeToString(salt), Time: argonTime, Memory: argonMemory}
	p.Hash = base64.StdEncoding.EncodeToString(p.derive(text))
	return p
}

func (p password) derive(text string) []byte {
	salt, err := base64.StdEncoding.DecodeString(p.Salt)
	if err != nil || p.Time == 0 {
		return nil
	}
	return argon2.IDKey([]byte(text), salt, p.Time, p.Memory, 1, argonSize)
}

func (p password) matches(text string) bool {
	derived := p.derive(text) // first, so that all that is wrong takes as long
	want, err := base64.StdEncoding.DecodeString(p.Hash)
	return err == nil && len(want) == argonSize && subtle.ConstantTimeCompare(derived, want) == 1
}

// hashing lets one password at a time be tried: each takes 19 MiB and 20 ms of a
// core.
type hashing chan struct{}

func (h hashing) do(ctx context.Context, try func() bool) bool {
	select {
	case h <- struct{}{}:
		defer func() { <-h }()
		return try()
	case <-ctx.Done():
		return false
	}
}
