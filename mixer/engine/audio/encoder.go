package audio

import (
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// AccessUnit is the length of an AAC access unit in samples. Access unit i of
// a channel covers samples [i*AccessUnit, (i+1)*AccessUnit).
const AccessUnit = 1024

// Encoder makes AAC-LC on the grid of access units: unit i decodes to the
// samples of slot i, because the encoder's priming is accounted for. A unit
// comes out once the two after it are there. One goroutine.
type Encoder struct {
	context *astiav.CodecContext
	packet  *astiav.Packet
	frame   *astiav.Frame
	track   *media.Track
	next    int64 // first sample that was not encoded
	first   int64 // access unit
	block   Block // samples from next on, fill of them
	fill    int
}

// NewEncoder starts so that access unit first is the first to come out.
// Samples before its place are silence for it; Write begins at position begin,
// which must lie in the slot before it or at its start.
func NewEncoder(id string, bitrate int, first, begin int64) (*Encoder, error) {
	codec := astiav.FindEncoderByName("aac")
	if codec == nil {
		return nil, errors.New("open AAC encoder: FFmpeg has none")
	}
	e := &Encoder{context: astiav.AllocCodecContext(codec), packet: astiav.AllocPacket(), frame: astiav.AllocFrame(), first: first, block: NewBlock(AccessUnit)}
	e.next = (first - 1) * AccessUnit
	e.fill = int(begin - e.next)
	if e.fill < 0 || e.fill > AccessUnit {
		e.Close()
		return nil, fmt.Errorf("open AAC encoder: sample %d is not just before access unit %d", begin, first)
	}
	e.context.SetBitRate(int64(bitrate))
	e.context.SetSampleRate(Hz)
	e.context.SetSampleFormat(astiav.SampleFormatFltp)
	e.context.SetChannelLayout(astiav.ChannelLayoutStereo)
	e.context.SetTimeBase(astiav.NewRational(1, Hz))
	e.context.SetThreadCount(1)
	e.context.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
	if err := e.context.Open(codec, nil); err != nil {
		e.Close()
		return nil, fmt.Errorf("open AAC encoder: %w", err)
	}
	e.track = &media.Track{
		ID: id, Kind: media.Audio, Codec: media.AAC, MIME: "mp4a.40.2", SampleRate: Hz, Channels: 2,
		Config: e.context.ExtraData()[:2], // AudioSpecificConfig: AAC-LC needs no more
	}
	return e, nil
}

// Track describes the stream: Config is its AudioSpecificConfig.
func (e *Encoder) Track() *media.Track { return e.track }

// Write takes the samples that follow the ones before and emits every access
// unit that became ready, by number.
func (e *Encoder) Write(samples Block, emit func(i int64, data []byte)) error {
	for samples.Len() > 0 {
		n := copy(e.block[0][e.fill:], samples[0])
		copy(e.block[1][e.fill:], samples[1])
		e.fill += n
		samples = samples.Slice(n, samples.Len())
		if e.fill < AccessUnit {
			break
		}
		if err := e.encode(emit); err != nil {
			return err
		}
	}
	return nil
}

func (e *Encoder) encode(emit func(i int64, data []byte)) error {
	e.frame.Unref()
	e.frame.SetSampleFormat(astiav.SampleFormatFltp)
	e.frame.SetSampleRate(Hz)
	e.frame.SetChannelLayout(astiav.ChannelLayoutStereo)
	e.frame.SetNbSamples(AccessUnit)
	e.frame.SetPts(e.next)
	if err := e.frame.AllocBuffer(0); err != nil {
		return fmt.Errorf("encode audio: %w", err)
	}
	store(e.frame, e.block)
	e.next += AccessUnit
	e.fill = 0
	if err := e.context.SendFrame(e.frame); err != nil {
		return fmt.Errorf("encode audio: %w", err)
	}
	for {
		e.packet.Unref()
		if err := e.context.ReceivePacket(e.packet); errors.Is(err, astiav.ErrEagain) {
			return nil
		} else if err != nil {
			return fmt.Errorf("encode audio: %w", err)
		}
		if i := e.packet.Pts() / AccessUnit; i >= e.first {
			emit(i, e.packet.Data())
		}
	}
}

// Silence is one access unit that decodes to silence and may be repeated.
func Silence(bitrate int) ([]byte, error) {
	const settled = 4 // access units until nothing of the start remains
	e, err := NewEncoder("", bitrate, settled, (settled-1)*AccessUnit)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	var unit []byte
	err = e.Write(NewBlock(2*settled*AccessUnit), func(_ int64, data []byte) { unit = data })
	if err == nil && unit == nil {
		err = errors.New("encode audio: no access unit of silence")
	}
	return unit, err
}

// Close frees the encoder.
func (e *Encoder) Close() {
	e.frame.Free()
	e.packet.Free()
	e.context.Free()
}
