package audio

import (
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// Encoder makes one stream on the grid of its format's access units: unit i
// decodes to the samples of slot i, because the encoder's delay is accounted
// for. A unit comes out as soon as the samples after it that the codec needs
// are there: two more units of AAC, 312 samples of Opus. One goroutine.
type Encoder struct {
	format  Format
	context *astiav.CodecContext
	packet  *astiav.Packet
	frame   *astiav.Frame
	track   *media.Track
	next    int64 // first sample that was not encoded
	first   int64 // access unit
	block   Block // samples from next on, fill of them
	fill    int
}

// NewEncoder starts so that access unit first is the first to come out. Write
// begins at position begin, which must lie in the slot before it or at its
// start; samples before begin are silence for it.
func NewEncoder(id string, format Format, first, begin int64) (*Encoder, error) {
	slot := first * format.Unit
	if begin < slot-format.Unit || begin > slot {
		return nil, fmt.Errorf("open %s encoder: sample %d is not just before access unit %d", format.Codec, begin, first)
	}
	e := &Encoder{
		format: format, first: first, next: slot - format.preroll, block: NewBlock(int(format.Unit)),
		packet: astiav.AllocPacket(), frame: astiav.AllocFrame(),
	}
	err := e.open(id)
	if err == nil {
		err = e.Write(NewBlock(int(begin-e.next)), func(int64, []byte) {})
	}
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("open %s encoder: %w", format.Codec, err)
	}
	return e, nil
}

func (e *Encoder) open(id string) error {
	codec := astiav.FindEncoderByName(e.format.encoder)
	if codec == nil {
		return errors.New("FFmpeg has none")
	}
	options := astiav.NewDictionary()
	defer options.Free()
	for name, value := range e.format.options {
		if err := options.Set(name, value, 0); err != nil {
			return err
		}
	}
	e.context = astiav.AllocCodecContext(codec)
	e.context.SetBitRate(int64(e.format.Bitrate))
	e.context.SetSampleRate(Hz)
	e.context.SetSampleFormat(e.sampleFormat())
	e.context.SetChannelLayout(astiav.ChannelLayoutStereo)
	e.context.SetTimeBase(astiav.NewRational(1, Hz))
	e.context.SetThreadCount(1)
	e.context.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
	if err := e.context.Open(codec, options); err != nil {
		return err
	}
	e.track = &media.Track{
		ID: id, Kind: media.Audio, Codec: e.format.Codec, MIME: e.format.mime, SampleRate: Hz, Channels: 2, Config: opusConfig(),
	}
	if e.format.Codec == media.AAC {
		e.track.Config = e.context.ExtraData()[:2] // AudioSpecificConfig: AAC-LC needs no more
	}
	return nil
}

func (e *Encoder) sampleFormat() astiav.SampleFormat {
	if e.format.packed {
		return astiav.SampleFormatFlt
	}
	return astiav.SampleFormatFltp
}

// Track describes the stream: Config is its AudioSpecificConfig or the payload
// of its dOps box.
func (e *Encoder) Track() *media.Track { return e.track }

// Write takes the samples that follow the ones before and emits every access
// unit that became ready, by number.
func (e *Encoder) Write(samples Block, emit func(i int64, data []byte)) error {
	for samples.Len() > 0 {
		n := copy(e.block[0][e.fill:], samples[0])
		copy(e.block[1][e.fill:], samples[1])
		e.fill += n
		samples = samples.Slice(n, samples.Len())
		if e.fill < e.block.Len() {
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
	e.frame.SetSampleFormat(e.sampleFormat())
	e.frame.SetSampleRate(Hz)
	e.frame.SetChannelLayout(astiav.ChannelLayoutStereo)
	e.frame.SetNbSamples(e.block.Len())
	e.frame.SetPts(e.next)
	if err := e.frame.AllocBuffer(0); err != nil {
		return fmt.Errorf("encode audio: %w", err)
	}
	if e.format.packed {
		storePacked(e.frame, e.block)
	} else {
		store(e.frame, e.block)
	}
	e.next += e.format.Unit
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
		// FFmpeg's PTS is where the packet sounds: the codec's delay before what went in.
		pts := e.packet.Pts()
		if pts%e.format.Unit != 0 {
			return fmt.Errorf("encode audio: %s packet at sample %d lies on no access unit", e.format.Codec, pts)
		}
		if i := pts / e.format.Unit; i >= e.first {
			emit(i, e.packet.Data())
		}
	}
}

// Silence is one access unit that decodes to silence and may be repeated.
func Silence(format Format) ([]byte, error) {
	const settled = 4 // access units until nothing of the start remains
	e, err := NewEncoder("", format, settled, (settled-1)*format.Unit)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	var unit []byte
	err = e.Write(NewBlock(2*settled*int(format.Unit)), func(_ int64, data []byte) { unit = data })
	if err == nil && unit == nil {
		err = errors.New("encode audio: no access unit of silence")
	}
	return unit, err
}

// Close frees the encoder.
func (e *Encoder) Close() {
	e.frame.Free()
	e.packet.Free()
	if e.context != nil {
		e.context.Free()
	}
}
