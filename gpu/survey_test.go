package gpu

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

func TestExamine(t *testing.T) {
	survey := Examine(emulationLibrary(t, "devices=2,on=1,launch=1"))
	require.True(t, survey.Emulated)
	require.Equal(t, "12.4", survey.Driver)
	require.Len(t, survey.Cards, 2)
	first := survey.Cards[0]
	require.Equal(t, "cuda:0", first.Name)
	require.Equal(t, "0000:1b:00.0", first.Bus)
	require.Equal(t, 1<<30, first.Memory)
	require.Empty(t, first.Fault)
	for _, ability := range append(first.Encoders, first.Decoders...) {
		require.False(t, ability.Usable, ability.Codec)
		require.NotEmpty(t, ability.Reason, ability.Codec)
	}
	require.Equal(t, Ability{Codec: nvencName, Reason: errEmulated.Error()}, first.Encoders[0])

	require.Contains(t, Examine("no-such-library.so").Fault, "no CUDA driver")
	require.Contains(t, Examine(emulationLibrary(t, "devices=0")).Fault, "no card")
	broken := Examine(emulationLibrary(t, "launch=1"))
	require.Contains(t, broken.Cards[0].Fault, "unspecified launch failure")
}

func TestReasonOf(t *testing.T) {
	for _, test := range []struct {
		said []string
		want string
	}{
		{[]string{"Cannot load libnvidia-encode.so.1"}, "the driver's encoder library, libnvidia-encode.so.1, is not installed"},
		{[]string{"Driver does not support the required nvenc API version. Required: 12.1 Found: 11.0", "x"},
			"the driver is too old for the NVENC interface of this version"},
		{[]string{"OpenEncodeSessionEx failed: incompatible client key (21): (no details)"}, "the driver's limit of encoding sessions is reached"},
		{[]string{"OpenEncodeSessionEx failed: unsupported device (2): (no details)", "No capable devices found"},
			"the card has no NVENC, as A100, H100 and H200 have none"},
		{[]string{"something new"}, "something new"},
		{nil, "the error"},
	} {
		require.Equal(t, test.want, reasonOf(test.said, errors.New("the error")))
	}
}

// The proof of a card's codecs passes for the CPU's, and sees pictures that are not
// those that went in.
func TestProofOfCodecs(t *testing.T) {
	device := openEmulated(t, "")
	encoder := newEncoder(t, device, proofConfig())
	require.NoError(t, device.proveChain(encoder, newDecoder(t, device, encoder.Track())))
	require.ErrorContains(t, device.proveNVDEC(), "NVDEC did not take H.264")
	encoder = newEncoder(t, device, proofConfig())
	wrong := tampered{newDecoder(t, device, encoder.Track()), device}
	require.ErrorContains(t, device.proveChain(encoder, wrong), "comes back at")
	said, err := listening(func() error {
		_, err := newCardEncoder(device, EncoderConfig{})
		return err
	})
	require.Error(t, err)
	require.NotEmpty(t, reasonOf(said, err))
}

// tampered shows another picture than was decoded.
type tampered struct {
	Decoder
	device Device
}

func (d tampered) Decode(p *media.Packet, show func(*Frame)) error {
	return d.Decoder.Decode(p, func(f *Frame) {
		f.Release()
		other, err := d.device.NewFrame(proofConfig().Size)
		if err == nil {
			other.drawProof(40)
			show(other)
		}
	})
}
