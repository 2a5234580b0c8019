package appliance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestRungsDoNotTakeTheNamesOfSounds(t *testing.T) {
	tests := []struct {
		id    string
		fault bool
	}{
		{"v720", false}, {"returns", false}, {"audio", true}, {"opus", true}, {"return-cam1", true},
	}
	for _, test := range tests {
		document := completed(api.Channel{
			Id: "main", Canvas: api.Canvas{Width: 1280, Height: 720, Rate: "30"}, Sources: []string{"cam1"},
			Ladder: []api.Rung{{Id: test.id, Width: 1280, Height: 720, Bitrate: 2_800_000}},
		})
		err := checkChannel(document, func(string) bool { return true }, func(string) string { return "" })
		require.Equal(t, test.fault, err != nil, "%s: %v", test.id, err)
	}
}
