package codec

import (
	"bytes"
	"errors"

	"github.com/Eyevinn/mp4ff/mp4"
)

// Payload is what is in a box.
func Payload(box mp4.Box) ([]byte, error) {
	var out bytes.Buffer
	if err := box.Encode(&out); err != nil {
		return nil, err
	}
	if out.Len() < 8 {
		return nil, errors.New("an empty box")
	}
	return out.Bytes()[8:], nil
}
