package clip

import (
	"errors"
	"fmt"
	"io"
	"time"

	"millrace/internal/media"
)

// Sample is one access unit of a clip.
type Sample struct {
	Track *media.Track
	// PTS and DTS count from the moment at which the clip's first picture is
	// shown; what sounds before it is left out.
	PTS, DTS time.Duration
	Duration time.Duration // 0 while unknown
	Key      bool
	Data     []byte // as media.Packet.Data; the taker's
}

// Reader reads a clip in the order of decoding. One goroutine uses it.
type Reader interface {
	// Next gives the next sample, io.EOF after the last. Any other error is the
	// file's: a damaged sample is left out where the rest can be read.
	Next() (Sample, error)
	// Rewind goes back to the beginning. The tracks stay the same.
	Rewind() error
	// Length is how long the pictures last, or the sound where there are none; 0
	// before a transport stream was read to its end.
	Length() time.Duration
	// Rate is that of the pictures; zero where it is not even, or unknown.
	Rate() media.Rate
	Close() error
}

// File is what a clip is read from.
type File interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Format is the container.
type Format string

// The containers that are read.
const (
	MP4       Format = "mp4"
	Transport Format = "mpegts"
)

// ErrUnusable is what is wrong with a file that cannot be played.
var ErrUnusable = errors.New("it cannot be played")

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnusable, fmt.Errorf(format, args...))
}

// Open reads as much of a file as it takes to know that it can be played. The
// reader owns the file; on an error it is closed.
func Open(file File, format Format) (Reader, error) {
	var r Reader
	var err error
	switch format {
	case MP4:
		r, err = openMovie(file)
	case Transport:
		r, err = openTransport(file)
	default:
		err = unusable("%q is no container of clips", format)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// guard turns a parser's panic into an error: what a file holds must not end the
// server.
func guard(err *error) {
	if fault := recover(); fault != nil {
		*err = unusable("it broke its parser: %v", fault)
	}
}
