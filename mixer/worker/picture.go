package worker

import (
	"encoding/binary"
	"fmt"
	"image"

	"millrace/internal/child"
	"millrace/mixer/scene"
)

// Picture gives the worker an asset that layers and overlays of kind image show,
// or takes it back. A later one of the same asset takes the place of the one
// before.
type Picture struct {
	Asset string
	Image *image.RGBA // premultiplied, its corner at 0, 0; never written again; nil: the show does not need it any more
}

// What a worker may be given of pictures.
const (
	MaxPictures    = 8 * scene.MaxAssets // those of scenes, overlays and stills, of several shows while one takes the place of another
	MaxPictureSide = 8192                // pixels
	maxAsset       = 64                  // bytes of an id
)

func (*Picture) kind() byte { return kindPicture }

// encodePicture does not copy the pixels.
func encodePicture(m *Picture) ([][]byte, error) {
	if m.Asset == "" || len(m.Asset) > maxAsset {
		return nil, fmt.Errorf("encode picture: an id of %d bytes", len(m.Asset))
	}
	head := append([]byte{byte(len(m.Asset))}, m.Asset...)
	if m.Image == nil {
		return [][]byte{binary.BigEndian.AppendUint32(head, 0)}, nil
	}
	size := m.Image.Rect.Size()
	if m.Image.Rect.Min != (image.Point{}) || m.Image.Stride != 4*size.X || size.X > MaxPictureSide || size.Y > MaxPictureSide ||
		len(m.Image.Pix) != 4*size.X*size.Y || len(m.Image.Pix) > child.MaxFrame-maxAsset-5 {
		return nil, fmt.Errorf("encode picture %q: %v does not go over the socket", m.Asset, m.Image.Rect)
	}
	head = binary.BigEndian.AppendUint16(head, uint16(size.X))
	return [][]byte{binary.BigEndian.AppendUint16(head, uint16(size.Y)), m.Image.Pix}, nil
}

func decodePicture(payload []byte) (Message, error) {
	length, ok := take(&payload, 1)
	var asset, sizes []byte
	if ok {
		asset, ok = take(&payload, uint32(length[0]))
	}
	if ok {
		sizes, ok = take(&payload, 4)
	}
	if !ok || len(asset) == 0 || len(asset) > maxAsset {
		return nil, fmt.Errorf("%w: picture is cut short", ErrProtocol)
	}
	m := &Picture{Asset: string(asset)}
	width, height := int(binary.BigEndian.Uint16(sizes)), int(binary.BigEndian.Uint16(sizes[2:]))
	switch {
	case width > MaxPictureSide || height > MaxPictureSide || len(payload) != 4*width*height || (width == 0) != (height == 0):
		return nil, fmt.Errorf("%w: picture of %d x %d in %d bytes", ErrProtocol, width, height, len(payload))
	case width > 0:
		m.Image = &image.RGBA{Pix: payload, Stride: 4 * width, Rect: image.Rect(0, 0, width, height)}
	}
	return m, nil
}
