package iso

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/internal/media"
)

// ErrFile says that a file is none of a Recorder's.
var ErrFile = errors.New("not an ISO recording")

// Info is what a file says of itself.
type Info struct {
	Start    media.Time // of the timeline: the file's time 0
	Duration time.Duration
	Codecs   []string // of its tracks: avc1, mp4a, …
	Finished bool     // it has an index
	Bytes    int64    // of what is whole
}

const headerBytes = 8

// mostMoov bounds what is read into memory of a file.
const mostMoov = 1 << 20

// Inspect reads a file's boxes, but no media.
func Inspect(file io.ReaderAt, size int64) (Info, error) {
	s := scan{file: file, size: size, scales: map[uint32]int64{}}
	for at := int64(0); at < size; {
		next, err := s.box(at)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			break // it was being written
		}
		if err != nil {
			return s.info, err
		}
		at = next
	}
	if len(s.info.Codecs) == 0 {
		return s.info, fmt.Errorf("%w: no tracks", ErrFile)
	}
	return s.info, nil
}

// scan walks the boxes of a file.
type scan struct {
	file   io.ReaderAt
	size   int64
	scales map[uint32]int64 // by track
	start  bool
	info   Info

	announced time.Duration // by a moof, whose mdat may be cut off
}

// box reads the box at an offset and gives where the next one begins.
func (s *scan) box(at int64) (int64, error) {
	var header [headerBytes]byte
	if at+headerBytes > s.size {
		return 0, io.ErrUnexpectedEOF
	}
	if _, err := s.file.ReadAt(header[:], at); err != nil {
		return 0, err
	}
	length, kind := int64(binary.BigEndian.Uint32(header[:])), string(header[4:])
	if length < headerBytes {
		return 0, fmt.Errorf("%w: box %q of %d bytes", ErrFile, kind, length)
	}
	if at+length > s.size {
		return 0, io.ErrUnexpectedEOF
	}
	var err error
	switch kind {
	case "moov":
		err = s.decode(at, length, s.moov)
	case "prft":
		err = s.decode(at, length, s.prft)
	case "moof":
		err = s.decode(at, length, s.moof)
	case "mdat":
		s.info.Bytes, s.info.Duration = at+length, max(s.info.Duration, s.announced)
	case "mfra":
		s.info.Finished, s.info.Bytes = true, at+length
	}
	return at + length, err
}

func (s *scan) decode(at, length int64, take func(mp4.Box) error) error {
	if length > mostMoov {
		return fmt.Errorf("%w: box of %d bytes", ErrFile, length)
	}
	box, err := mp4.DecodeBox(uint64(at), io.NewSectionReader(s.file, at, length))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return take(box)
}

func (s *scan) moov(box mp4.Box) error {
	for _, trak := range box.(*mp4.MoovBox).Traks {
		if trak.Tkhd == nil || trak.Mdia == nil || trak.Mdia.Mdhd == nil || trak.Mdia.Mdhd.Timescale == 0 ||
			trak.Mdia.Minf == nil || trak.Mdia.Minf.Stbl == nil || trak.Mdia.Minf.Stbl.Stsd == nil || len(trak.Mdia.Minf.Stbl.Stsd.Children) == 0 {
			return fmt.Errorf("%w: incomplete track", ErrFile)
		}
		s.scales[trak.Tkhd.TrackID] = int64(trak.Mdia.Mdhd.Timescale)
		s.info.Codecs = append(s.info.Codecs, trak.Mdia.Minf.Stbl.Stsd.Children[0].Type())
	}
	return nil
}

func (s *scan) prft(box mp4.Box) error {
	p := box.(*mp4.PrftBox)
	scale := s.scales[p.ReferenceTrackID]
	if s.start || scale == 0 || p.MediaTime > 1<<40 {
		return nil
	}
	s.start = true
	s.info.Start = timeOf(p.NTPTimestamp) - media.TimeOfTicks(int64(p.MediaTime), scale)
	return nil
}

func (s *scan) moof(box mp4.Box) error {
	for _, traf := range box.(*mp4.MoofBox).Trafs {
		if traf.Tfhd == nil || traf.Tfdt == nil {
			continue
		}
		scale, ticks := s.scales[traf.Tfhd.TrackID], int64(traf.Tfdt.BaseMediaDecodeTime())
		for _, trun := range traf.Truns {
			for _, sample := range trun.Samples {
				ticks += int64(sample.Dur)
			}
		}
		if scale > 0 && ticks >= 0 && ticks < 1<<42 {
			s.announced = max(s.announced, time.Duration(media.TimeOfTicks(ticks, scale)))
		}
	}
	return nil
}

// Repair finishes a file that broke off: what is not whole is cut off, and its
// length is written in front. One that is finished stays as it is.
func Repair(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("repair ISO recording: %w", err)
	}
	err = repair(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("repair ISO recording: %w", err)
	}
	return nil
}

func repair(file *os.File) error {
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	info, err := Inspect(file, stat.Size())
	if err != nil || info.Finished && info.Bytes == stat.Size() {
		return err
	}
	if err := file.Truncate(info.Bytes); err != nil {
		return err
	}
	place, err := extendsPlace(file, info.Bytes)
	if err != nil {
		return err
	}
	f := film{tracks: []*track{{scale: int64(time.Second), end: int64(info.Duration)}}}
	length, err := f.duration()
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(length, place); err != nil {
		return err
	}
	return file.Sync()
}

// extendsPlace finds where the length belongs: the first box in mvex.
func extendsPlace(file io.ReaderAt, size int64) (int64, error) {
	end := size
	at := int64(0)
	for _, name := range []string{"moov", "mvex"} {
		for {
			var header [headerBytes]byte
			if at+headerBytes > end {
				return 0, fmt.Errorf("%w: no %s", ErrFile, name)
			}
			if _, err := file.ReadAt(header[:], at); err != nil {
				return 0, err
			}
			length := int64(binary.BigEndian.Uint32(header[:]))
			if length < headerBytes {
				return 0, fmt.Errorf("%w: box of %d bytes", ErrFile, length)
			}
			if string(header[4:]) == name {
				end = min(end, at+length)
				at += headerBytes
				break
			}
			at += length
		}
	}
	return at, nil
}
