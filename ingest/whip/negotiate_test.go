package whip

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/rtc"
)

// TestOpusIsAskedForStereoAndProtection: unless the offer says itself what it
// can do.
func TestOpusIsAskedForStereoAndProtection(t *testing.T) {
	for offered, answered := range map[string]string{
		"":                           "stereo=1;useinbandfec=1",
		"minptime=10;useinbandfec=1": "minptime=10;useinbandfec=1;stereo=1",
		"stereo=0;useinbandfec=0":    "stereo=0;useinbandfec=0",
	} {
		require.Equal(t, answered, stereo(rtc.Codec{Name: "OPUS", Format: offered}), offered)
	}
}
