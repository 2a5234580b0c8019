package worker

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIDRPicID(t *testing.T) {
	sets, err := parseAVCC(avcc(unhex(blackSPS), unhex(blackPPS)))
	require.NoError(t, err)
	require.Len(t, sets.units, 2)
	tests := []struct {
		name string
		unit []byte
		id   uint32
		ok   bool
	}{
		{"zero", idr(0), 0, true},
		{"one", idr(1), 1, true},
		{"predicted", predicted("x"), 0, false},
		{"empty", nil, 0, false},
		{"cut length", []byte{0, 0, 0}, 0, false},
		{"cut unit", idr(0)[:12], 0, false},
		{"cut slice", unit(unhex("6588")), 0, false},
		{"unknown parameter set", unit(unhex("658840")), 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			id, ok := sets.idrPicID(test.unit)
			require.Equal(t, test.ok, ok)
			require.Equal(t, test.id, id)
		})
	}
}

func TestParseAVCCRefuses(t *testing.T) {
	whole := avcc(unhex(blackSPS), unhex(blackPPS))
	for size := range whole {
		_, err := parseAVCC(whole[:size])
		require.ErrorIs(t, err, errAVCC)
	}
	for name, config := range map[string][]byte{
		"2-byte lengths": append([]byte{1, 0x64, 0, 10, 0xfd}, whole[5:]...),
		"bad sequence":   avcc(unhex("6764")),
		"empty set":      {1, 0x64, 0, 10, 0xff, 0xe1, 0, 0, 0},
		"bad picture":    avcc(unhex(blackSPS), unhex("6800")),
	} {
		_, err := parseAVCC(config)
		require.ErrorIs(t, err, errAVCC, name)
	}
}

func FuzzIDRPicID(f *testing.F) {
	f.Add(avcc(unhex(blackSPS), unhex(blackPPS)), idr(0))
	f.Add(avcc(unhex(blackSPS), unhex(blackPPS)), idr(1))
	f.Fuzz(func(t *testing.T, config, unit []byte) {
		sets, err := parseAVCC(config)
		if err != nil {
			require.ErrorIs(t, err, errAVCC)
			return
		}
		sets.idrPicID(unit)
	})
}
