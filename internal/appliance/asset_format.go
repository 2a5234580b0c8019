package appliance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	_ "image/jpeg" // decodes
	_ "image/png"  // likewise
	"io"

	"golang.org/x/image/font/sfnt"
	_ "golang.org/x/image/webp" // likewise

	"millrace/api"
	"millrace/ingest/clip"
)

// How large a file of a kind may be.
const (
	maxPicture = 32 << 20 // bytes
	maxFont    = 32 << 20 // bytes
	maxPixels  = 7680 * 4320
	sniffBytes = 1 << 10
)

// recognise says by its first bytes what a file is.
func recognise(head []byte) (kind api.AssetKind, format api.AssetFormat, ok bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return api.Image, api.Png, true
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return api.Image, api.Jpeg, true
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return api.Image, api.Webp, true
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return api.Video, api.Mp4, true
	case len(head) >= 4 && isFont(binary.BigEndian.Uint32(head)):
		return api.Font, api.Sfnt, true
	case len(head) > 2*188 && head[0] == 0x47 && head[188] == 0x47 && head[2*188] == 0x47: // ISO/IEC 13818-1, 2.4.3.2
		return api.Video, api.Mpegts, true
	}
	return "", "", false
}

// isFont knows the version tags of sfnt (OpenType 1.9, table directory).
func isFont(tag uint32) bool {
	switch tag {
	case 0x00010000, 0x4f54544f /* OTTO */, 0x74727565 /* true */, 0x74746366 /* ttcf */ :
		return true
	}
	return false
}

// sizeLimit is how many bytes a file of a kind may have.
func sizeLimit(kind api.AssetKind) int64 {
	switch kind {
	case api.Image:
		return maxPicture
	case api.Font:
		return maxFont
	}
	return api.AssetBytes
}

// examine reads a picture or font to its end, and as much of a clip as says that it
// can be played, in Go; it fills in what it finds.
func examine(asset *api.Asset, file readable) error {
	switch asset.Kind {
	case api.Image:
		picture, err := decodePicture(file)
		if err != nil {
			return err
		}
		asset.Width, asset.Height = picture.Bounds().Dx(), picture.Bounds().Dy()
	case api.Video:
		reader, err := clip.Open(kept{file}, clip.Format(asset.Format))
		if err != nil {
			return err
		}
		asset.DurationMs = reader.Length().Milliseconds()
	case api.Font:
		text, err := io.ReadAll(io.LimitReader(file, maxFont+1))
		if err != nil {
			return err
		}
		fonts, err := sfnt.ParseCollection(text)
		if err != nil {
			return fmt.Errorf("it is no whole font: %w", err)
		}
		if _, err := fonts.Font(0); err != nil {
			return fmt.Errorf("it is no whole font: %w", err)
		}
	}
	return nil
}

// readable is what is examined.
type readable interface {
	io.ReadSeeker
	io.ReaderAt
}

// kept is a file that its reader does not close.
type kept struct{ readable }

func (kept) Close() error { return nil }

// decodePicture looks at what a header promises before it decodes. A decoder
// that panics has met a file that is broken in a new way.
func decodePicture(file io.ReadSeeker) (picture image.Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it is no whole picture: %v", r)
		}
	}()
	header, _, err := image.DecodeConfig(file)
	if err != nil {
		return nil, fmt.Errorf("it is no whole picture: %w", err)
	}
	if header.Width < 1 || header.Height < 1 || header.Width > maxPixels/header.Height {
		return nil, fmt.Errorf("it has %d x %d pixels, more than %d in all; make it smaller", header.Width, header.Height, maxPixels)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if picture, _, err = image.Decode(file); err != nil {
		return nil, fmt.Errorf("it is no whole picture: %w", err)
	}
	return picture, nil
}
