package rtmp

import (
	"errors"
	"testing"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/stretchr/testify/require"
)

func commandBody(t testing.TB, values ...any) []byte {
	body, err := amf0.Data(values).Marshal()
	require.NoError(t, err)
	return body
}

// FuzzExchange feeds commands in a row, each behind a 16-bit length, as a
// hostile client may.
func FuzzExchange(f *testing.F) {
	var talk []byte
	for _, values := range [][]any{
		{"connect", 1.0, amf0.Object{{Key: "app", Value: "live"}, {Key: "capsEx", Value: 1.0}}},
		{"releaseStream", 2.0, nil, "x"}, {"createStream", 3.0, nil}, {"publish", 4.0, nil, "x", "live"},
		{"what", 5.0}, {"deleteStream", 6.0, nil, 1.0},
	} {
		body := commandBody(f, values...)
		talk = append(append(talk, byte(len(body)>>8), byte(len(body))), body...)
	}
	f.Add(talk)
	f.Add(append([]byte{0, 30}, commandBody(f, "play", 1.0, nil, "x")...))
	f.Fuzz(func(t *testing.T, talk []byte) {
		var e exchange
		for len(talk) >= 2 {
			n := min(int(talk[0])<<8|int(talk[1]), len(talk)-2)
			body := talk[2 : 2+n]
			talk = talk[2+n:]
			call, err := command(body)
			if err == nil {
				var ev event
				_, ev, err = e.answer(call)
				if err == nil && ev == publishAsked && !e.connected {
					t.Fatal("publish before connect")
				}
			}
			if err != nil {
				if !errors.Is(err, ErrProtocol) {
					t.Fatal(err)
				}
				return
			}
		}
	})
}
