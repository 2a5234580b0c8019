package rtmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/bluenviron/gortmplib/pkg/handshake"
)

// ErrProtocol says that the peer does not speak RTMP as it is specified. The
// connection is of no use after it.
var ErrProtocol = errors.New("not RTMP")

// Handshake answers C0, C1 and C2. Only version 3 is spoken: nothing is read
// or allocated beyond the first byte of anything else.
func Handshake(rw io.ReadWriter) error {
	var version [1]byte
	if _, err := io.ReadFull(rw, version[:]); err != nil {
		return fmt.Errorf("read C0: %w", err)
	}
	if version[0] != 3 {
		return fmt.Errorf("%w: version %d in C0", ErrProtocol, version[0])
	}
	again := struct {
		io.Reader
		io.Writer
	}{io.MultiReader(bytes.NewReader(version[:]), rw), rw}
	if _, _, err := handshake.DoServer(again, false); err != nil {
		return fmt.Errorf("shake hands: %w", err)
	}
	return nil
}
