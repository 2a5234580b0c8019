package worker

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"millrace/internal/media"
)

// Parameter sets and IDR slices of x264 (64x64, one black picture each), so
// that idr_pic_id is read from real bytes.
const (
	blackSPS = "6764100aacb884d80880000003008000001e42"
	blackPPS = "68ee0fcb"
	idrZero  = "65888404bfe4ff05e0fef43b5f77b3fefbc77e69954275d906b4d3f110f262c4886d01e7"
	idrOne   = "658882015feaffc2553fbdb3745c45ffdf7c31e6ee65895f4448615a1cae9ca4c3ff24d7b0"
)

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

func unit(nals ...[]byte) []byte {
	var data []byte
	for _, nal := range nals {
		data = binary.BigEndian.AppendUint32(data, uint32(len(nal)))
		data = append(data, nal...)
	}
	return data
}

// idr is an access unit with an AUD and an IDR slice of that idr_pic_id.
func idr(id int) []byte {
	slice := unhex(idrZero)
	if id%2 == 1 {
		slice = unhex(idrOne)
	}
	return unit([]byte{9, 0xf0}, slice)
}

func predicted(tag string) []byte { return unit(append([]byte{0x41}, tag...)) }

func avcc(sets ...[]byte) []byte {
	var sequence, picture [][]byte
	for _, set := range sets {
		if set[0]&0x1f == 7 {
			sequence = append(sequence, set)
		} else {
			picture = append(picture, set)
		}
	}
	config := []byte{1, 0x64, 0, 0x0a, 0xff}
	for i, list := range [][][]byte{sequence, picture} {
		reserved := byte(0xe0)
		if i == 1 {
			reserved = 0
		}
		config = append(config, reserved|byte(len(list)))
		for _, set := range list {
			config = binary.BigEndian.AppendUint16(config, uint16(len(set)))
			config = append(config, set...)
		}
	}
	return config
}

// fakeSounds are the renditions of sound, behind the two rungs.
func fakeSounds() []Rendition {
	return []Rendition{
		{ID: "audio", Bitrate: 128_000, Filler: []Filler{{[]byte("silence")}}, Track: &media.Track{
			ID: "audio", Kind: media.Audio, Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: AudioHz, Channels: 2}},
		{ID: "opus", Bitrate: 96_000, Filler: []Filler{{[]byte("hush")}}, Track: &media.Track{
			ID: "opus", Kind: media.Audio, Codec: media.Opus, Config: []byte{0, 2}, SampleRate: AudioHz, Channels: 2}},
	}
}

// fakeRenditions are two rungs and the sound, with filler.
func fakeRenditions(rate media.Rate, gop int64) []Rendition {
	var renditions []Rendition
	for _, id := range []string{"v2", "v1"} {
		rendition := Rendition{ID: id, Bitrate: 1000, Track: &media.Track{
			ID: id, Kind: media.Video, Codec: media.H264, Config: avcc(unhex(blackSPS), unhex(blackPPS)), Width: 64, Height: 64, Rate: rate,
		}}
		for variant := range 2 {
			filler := Filler{idr(variant)}
			for i := int64(1); i < gop; i++ {
				filler = append(filler, predicted(fmt.Sprintf("filler %d.%d", variant, i)))
			}
			rendition.Filler = append(rendition.Filler, filler)
		}
		renditions = append(renditions, rendition)
	}
	return append(renditions, fakeSounds()...)
}

// fakeReturn is a rendition of Opus without a source.
func fakeReturn(source string) Rendition {
	return Rendition{ID: ReturnID(source), Bitrate: 96_000, Return: source, Track: &media.Track{
		ID: ReturnID(source), Kind: media.Audio, Codec: media.Opus, Config: []byte{0, 2}, SampleRate: AudioHz, Channels: 2}}
}

// fakeEncoders make what a worker's encoders would.
type fakeEncoders struct {
	rate   media.Rate
	gop    int64
	start  int64
	idrs   [2]int
	sounds []*fakeSound
}

// fakeSound is one encoder of sound.
type fakeSound struct {
	stream uint32
	grid   AudioGrid
	next   int64
}

func newFakeEncoders(rate media.Rate, gop, start int64) *fakeEncoders {
	e := &fakeEncoders{rate: rate, gop: gop, start: start}
	e.begin(2, AACGrid, start)
	e.begin(3, OpusGrid, start)
	return e
}

// begin adds a rendition of sound.
func (e *fakeEncoders) begin(stream uint32, grid AudioGrid, frame int64) {
	e.sounds = append(e.sounds, &fakeSound{stream, grid, grid.First(e.rate, frame)})
}

func (e *fakeEncoders) end(stream uint32) {
	e.sounds = slices.DeleteFunc(e.sounds, func(s *fakeSound) bool { return s.stream == stream })
}

// tick emits frame n of every rung and the audio that it completes.
func (e *fakeEncoders) tick(n int64, emit func(*StreamPacket) error) error {
	for rung := range e.idrs {
		packet := &media.Packet{PTS: e.rate.At(n), DTS: e.rate.At(n), Data: predicted("picture")}
		if n == e.start || n%e.gop == 0 {
			packet.Key, packet.Data = true, idr(e.idrs[rung])
			e.idrs[rung]++
		}
		if err := emit(&StreamPacket{Stream: uint32(rung), Packet: packet}); err != nil {
			return err
		}
	}
	for _, sound := range e.sounds {
		for (sound.next+1)*int64(sound.grid) <= e.rate.Samples(n+1, AudioHz) {
			at := sound.grid.At(sound.next)
			sound.next++
			if err := emit(&StreamPacket{Stream: sound.stream, Packet: &media.Packet{PTS: at, DTS: at, Key: true, Data: []byte("sound")}}); err != nil {
				return err
			}
		}
	}
	return nil
}
