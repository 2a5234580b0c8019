package reencode

import (
	"context"
	"fmt"

	"millrace/internal/child"
	"millrace/internal/media"
)

// Still is a picture of a sheet: an access unit that needs no other.
type Still struct {
	Track *media.Track
	Data  []byte // nil leaves its tile black
}

// Sheet is pictures to lay side by side, row by row, as one JPEG. Width and
// Height are of a tile, in pixels, even.
type Sheet struct {
	Columns, Rows int
	Width, Height int
	Stills        []Still // at most Columns*Rows
}

// The largest sheet.
const (
	maxTiles = 100
	maxSide  = 4096
)

type wireSheet struct {
	Columns int         `json:"columns"`
	Rows    int         `json:"rows"`
	Width   int         `json:"width"`
	Height  int         `json:"height"`
	Tracks  []wireTrack `json:"tracks"`
	Stills  []wireStill `json:"stills"`
}

type wireTrack struct {
	Codec  media.Codec `json:"codec"`
	Config []byte      `json:"config,omitempty"`
	Width  int         `json:"width"`
	Height int         `json:"height"`
}

type wireStill struct {
	Tile  int `json:"tile"`
	Track int `json:"track"` // index
	Size  int `json:"size"`
}

// Draw starts the process and has it draw one sheet. It blocks until the process
// has ended; a cancelled context kills it.
func Draw(ctx context.Context, command child.Command, sheet Sheet) ([]byte, error) {
	var jpeg []byte
	err := with(ctx, command, func(conn *child.Conn) error {
		if err := SendSheet(conn, &sheet); err != nil {
			return err
		}
		result, err := ReceiveResult(conn)
		switch {
		case err != nil:
			return err
		case result.Error != "":
			return fmt.Errorf("draw sheet: %s", result.Error)
		case len(result.Units) != 1:
			return fmt.Errorf("%w: %d sheets for one", ErrProtocol, len(result.Units))
		}
		jpeg = result.Units[0]
		return nil
	})
	return jpeg, err
}

// SendSheet writes a sheet to be drawn.
func SendSheet(conn *child.Conn, sheet *Sheet) error {
	head := wireSheet{Columns: sheet.Columns, Rows: sheet.Rows, Width: sheet.Width, Height: sheet.Height}
	numbers := map[*media.Track]int{}
	var data [][]byte
	for tile, still := range sheet.Stills {
		if len(still.Data) == 0 {
			continue
		}
		number, known := numbers[still.Track]
		if !known {
			number = len(head.Tracks)
			numbers[still.Track] = number
			t := still.Track
			head.Tracks = append(head.Tracks, wireTrack{t.Codec, t.Config, t.Width, t.Height})
		}
		head.Stills = append(head.Stills, wireStill{tile, number, len(still.Data)})
		data = append(data, still.Data)
	}
	return send(conn, kindSheet, head, data)
}

func parseSheet(payload []byte) (*Sheet, error) {
	var head wireSheet
	data, err := open(payload, &head)
	if err != nil {
		return nil, err
	}
	tiles := head.Columns * head.Rows
	if head.Columns < 1 || head.Rows < 1 || head.Columns > maxTiles || head.Rows > maxTiles || tiles > maxTiles ||
		head.Width < 2 || head.Height < 2 || head.Columns*head.Width > maxSide || head.Rows*head.Height > maxSide {
		return nil, fmt.Errorf("%w: sheet of %dx%d tiles of %dx%d", ErrProtocol, head.Columns, head.Rows, head.Width, head.Height)
	}
	sheet := &Sheet{Columns: head.Columns, Rows: head.Rows, Width: head.Width, Height: head.Height, Stills: make([]Still, tiles)}
	var tracks []*media.Track
	for _, t := range head.Tracks {
		tracks = append(tracks, &media.Track{ID: "still", Kind: media.Video, Codec: t.Codec, Config: t.Config, Width: t.Width, Height: t.Height})
	}
	for _, still := range head.Stills {
		if still.Tile < 0 || still.Tile >= tiles || still.Track < 0 || still.Track >= len(tracks) || still.Size < 1 || still.Size > len(data) {
			return nil, fmt.Errorf("%w: still of %d bytes in tile %d", ErrProtocol, still.Size, still.Tile)
		}
		sheet.Stills[still.Tile] = Still{tracks[still.Track], data[:still.Size:still.Size]}
		data = data[still.Size:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrProtocol, len(data))
	}
	return sheet, nil
}
