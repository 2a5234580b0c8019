package gpu

import (
	"fmt"
	"image"
	"time"

	"millrace/internal/media"
)

// Measurement is one row of what a card does with whole pictures.
type Measurement struct{ Name, Result string }

// MeasureMedia encodes and decodes on a card what the CPU encodes and decodes too,
// and composes between: what each step gives, and how long it takes. driver is
// OpenWith's; pictures is how many of 1920x1080.
func MeasureMedia(driver, name string, pictures int) ([]Measurement, error) {
	opened, err := OpenWith(name, driver)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	d, ok := opened.(*cudaDevice)
	if !ok {
		return nil, fmt.Errorf("%s is no card", name)
	}
	size := Size{1920, 1080}
	config := EncoderConfig{ID: "v", Size: size, Rate: media.Rate{Num: 30, Den: 1}, Bitrate: 6_000_000}
	source, units, err := d.encodeSample(config, pictures)
	if err != nil {
		return nil, err
	}
	var rows []Measurement
	if d.ffmpeg.nvdec != nil {
		rows = append(rows, Measurement{"NVDEC H.264", "not there: " + d.ffmpeg.nvdec.Error()})
	} else {
		rows = append(rows, d.compareDecoders(source, units))
	}
	if d.ffmpeg.nvenc != nil {
		rows = append(rows, Measurement{"NVENC H.264", "not there: " + d.ffmpeg.nvenc.Error()})
	} else {
		rows = append(rows, d.measureNVENC(config, pictures))
	}
	chain, err := d.measureChain(size, pictures)
	return append(rows, chain), err
}

// encodeSample makes a stream with x264.
func (d *cudaDevice) encodeSample(config EncoderConfig, pictures int) (*media.Track, []*media.Packet, error) {
	encoder, err := newCPUEncoder(config)
	if err != nil {
		return nil, nil, err
	}
	defer encoder.Close()
	var packets []*media.Packet
	for n := range pictures {
		unit, err := d.encodeProof(encoder, config.Size, n)
		if err != nil {
			return nil, nil, err
		}
		at := config.Rate.At(int64(n))
		packets = append(packets, &media.Packet{Track: encoder.Track(), PTS: at, DTS: at, Key: unit.Key, Data: unit.Data})
	}
	return encoder.Track(), packets, nil
}

func (d *cudaDevice) encodeProof(encoder Encoder, size Size, n int) (AccessUnit, error) {
	picture, err := d.NewFrame(size)
	if err != nil {
		return AccessUnit{}, err
	}
	defer picture.Release()
	picture.drawProof(n)
	return encoder.Encode(picture, int64(n), n%60 == 0)
}

// compareDecoders decodes a stream on the card and on the CPU: the pictures of a
// standard decoder are the same to the bit.
func (d *cudaDevice) compareDecoders(track *media.Track, packets []*media.Packet) Measurement {
	row := Measurement{Name: "NVDEC H.264"}
	cards, took, err := decodeAll(packets, func() (Decoder, error) { return makeDecoder(d.host, track, d) })
	defer releaseAll(cards)
	if err != nil {
		row.Result = "failed: " + err.Error()
		return row
	}
	host, hostTook, err := decodeAll(packets, func() (Decoder, error) { return newCPUDecoder(d.host, track) })
	defer releaseAll(host)
	if err != nil || len(cards) != len(host) {
		row.Result = fmt.Sprintf("%d pictures, the CPU gives %d (%v)", len(cards), len(host), err)
		return row
	}
	worst := 100.0
	for i := range cards {
		near, err := nearness(cards[i], host[i])
		if err != nil {
			row.Result = "failed: " + err.Error()
			return row
		}
		worst = min(worst, near)
	}
	row.Result = fmt.Sprintf("%d pictures, worst %.1f dB of the CPU's (100 is the same), %.0f a second; the CPU alone %.0f a second",
		len(cards), worst, perSecond(len(cards), took), perSecond(len(host), hostTook))
	return row
}

// decodeAll decodes and keeps every picture.
func decodeAll(packets []*media.Packet, open func() (Decoder, error)) (pictures []*Frame, took time.Duration, err error) {
	decoder, err := open()
	if err != nil {
		return nil, 0, err
	}
	defer decoder.Close()
	keep := func(f *Frame) { pictures = append(pictures, f) }
	begin := time.Now()
	for _, p := range packets {
		if err := decoder.Decode(p, keep); err != nil {
			return pictures, 0, err
		}
	}
	decoder.Drain(keep)
	return pictures, time.Since(begin), nil
}

func releaseAll(pictures []*Frame) {
	for _, f := range pictures {
		f.Release()
	}
}

func perSecond(n int, took time.Duration) float64 { return float64(n) / max(took.Seconds(), 1e-9) }

// measureNVENC encodes surfaces that are on the card already.
func (d *cudaDevice) measureNVENC(config EncoderConfig, pictures int) Measurement {
	row := Measurement{Name: "NVENC H.264"}
	fail := func(err error) Measurement {
		row.Result = "failed: " + err.Error()
		return row
	}
	encoder, err := newCardEncoder(d, config)
	if err != nil {
		return fail(err)
	}
	defer encoder.Close()
	host, err := d.NewFrame(config.Size)
	if err != nil {
		return fail(err)
	}
	defer host.Release()
	host.drawProof(1)
	surface, err := d.surface(host)
	if err != nil {
		return fail(err)
	}
	defer surface.Release()
	begin, bytes := time.Now(), 0
	for n := range pictures {
		unit, err := encoder.Encode(surface, int64(n), n%60 == 0)
		if err != nil {
			return fail(err)
		}
		bytes += len(unit.Data)
	}
	row.Result = fmt.Sprintf("%d pictures of %v, %.0f a second, %d bytes, each picture its access unit at once",
		pictures, config.Size, perSecond(pictures, time.Since(begin)), bytes)
	return row
}

// measureChain uploads four pictures a tick, composes a grid with a ladder and reads
// every rung back: a card without NVENC.
func (d *cudaDevice) measureChain(size Size, ticks int) (Measurement, error) {
	row := Measurement{Name: "upload, compose, read"}
	rungs := []Size{size, {1280, 720}, {854, 480}, {640, 360}}
	compositor, err := d.NewCompositor(CompositorConfig{Canvas: size, Rungs: rungs})
	if err != nil {
		return row, err
	}
	defer compositor.Close()
	var sources []*Frame
	defer func() { releaseAll(sources) }()
	var layers []Layer
	for i := range 4 {
		f, err := d.NewFrame(size)
		if err != nil {
			return row, err
		}
		f.drawProof(i)
		sources = append(sources, f)
		x, y := i%2*size.Width/2, i/2*size.Height/2
		layers = append(layers, Layer{Frame: f, Dst: image.Rect(x, y, x+size.Width/2, y+size.Height/2), Opacity: 1})
	}
	begin := time.Now()
	for range ticks {
		for _, f := range sources {
			f.Rewrite() // another picture: it goes up again
		}
		composition, err := compositor.Compose(layers, Black())
		if err != nil {
			return row, err
		}
		for _, rung := range composition.Rungs {
			host, err := rung.Download()
			if err != nil {
				composition.Release()
				return row, err
			}
			host.Release()
		}
		composition.Release()
	}
	took := time.Since(begin)
	row.Result = fmt.Sprintf("%d ticks of 4 x %v up, %d rungs down: %v a tick, one after the other", ticks, size, len(rungs),
		(took / time.Duration(ticks)).Round(time.Microsecond))
	return row, nil
}
