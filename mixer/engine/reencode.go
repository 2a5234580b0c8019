package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"millrace/gpu"
	"millrace/internal/child"
	"millrace/internal/child/sandbox"
	"millrace/internal/media"
	"millrace/mixer/reencode"
)

// ServeReencoder is the process of package reencode: it confines itself, then
// decodes and encodes what it is given until the socket closes.
func ServeReencoder(ctx context.Context, conn *child.Conn) error {
	return serveReencoder(ctx, conn, func() error {
		_, err := sandbox.Apply(sandbox.Policy{})
		return err
	})
}

func serveReencoder(ctx context.Context, conn *child.Conn, confine func() error) error {
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	device, err := gpu.Open("cpu") // whichever encoder carries a rung, x264's parameter set is listed beside it
	if err != nil {
		return err
	}
	defer device.Close()
	if err := confine(); err != nil {
		return fmt.Errorf("confine re-encoder: %w", err)
	}
	var working sync.WaitGroup
	defer working.Wait()
	for {
		task, sheet, err := reencode.ReceiveTask(conn)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		working.Go(func() {
			result := carryOut(device, task, sheet)
			if err := reencode.SendResult(conn, &result); err != nil {
				_ = conn.Close()
			}
		})
	}
}

// carryOut does what the server asks for: one of both is nil.
func carryOut(device gpu.Device, task *reencode.Task, sheet *reencode.Sheet) reencode.Result {
	var result reencode.Result
	var err error
	if sheet != nil {
		var jpeg []byte
		jpeg, err = drawSheet(device, sheet)
		result.Units = [][]byte{jpeg}
	} else {
		result.ID = task.ID
		result.Units, err = reencodeUnits(device, task)
	}
	if err != nil {
		return reencode.Result{ID: result.ID, Error: err.Error()}
	}
	return result
}

// ahead is how many decoded pictures wait for the encoder.
const ahead = 4

// reencodeUnits decodes on one goroutine and encodes on this one.
func reencodeUnits(device gpu.Device, task *reencode.Task) ([][]byte, error) {
	encoder, err := encoderFor(device, task)
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	pictures := make(chan *gpu.Frame, ahead)
	var decoding sync.WaitGroup
	var decoded error
	decoding.Go(func() {
		defer close(pictures)
		decoded = decodeUnits(device, task, pictures)
	})
	var units [][]byte
	for picture := range pictures { // all of them, also after an error
		at := int(time.Duration(picture.PTS) / pictureStep)
		if err == nil && at != task.From+len(units) {
			err = fmt.Errorf("frame %d of the group cannot be decoded", task.From+len(units))
		}
		if err == nil {
			units, err = encodeNext(encoder, task, picture, units)
		}
		picture.Release()
	}
	decoding.Wait()
	if err = errors.Join(err, decoded); err == nil && len(units) != task.To-task.From {
		err = fmt.Errorf("frame %d of the group cannot be decoded", task.From+len(units))
	}
	return units, err
}

// pictureStep stands for one frame: PTS only tell pictures apart here.
const pictureStep = time.Millisecond

// decodeUnits gives the pictures that are asked for, each with a reference.
func decodeUnits(device gpu.Device, task *reencode.Task, pictures chan<- *gpu.Frame) error {
	decoder, err := device.NewDecoder(task.Track)
	if err != nil {
		return err
	}
	defer decoder.Close()
	show := func(f *gpu.Frame) {
		at := int(time.Duration(f.PTS) / pictureStep)
		if at < task.From || at >= task.To {
			f.Release()
			return
		}
		pictures <- f
	}
	for i, unit := range task.Units[:task.To] {
		at := media.Time(time.Duration(i) * pictureStep)
		if err := decoder.Decode(&media.Packet{Track: task.Track, PTS: at, DTS: at, Key: i == 0, Data: unit}, show); err != nil {
			return err
		}
	}
	decoder.Drain(show)
	if s := decoder.Stats(); s.Errors+s.Damaged > 0 {
		return fmt.Errorf("%d access units of the group are damaged", s.Errors+s.Damaged)
	}
	return nil
}

// encodeNext appends one access unit. Where the new IDR stands directly before
// another one their idr_pic_id must differ (H.264 7.4.3): consecutive IDRs of
// one encoder do.
func encodeNext(encoder gpu.Encoder, task *reencode.Task, picture *gpu.Frame, units [][]byte) ([][]byte, error) {
	first := len(units) == 0
	unit, err := encoder.Encode(picture, int64(len(units)), first)
	if err == nil && first && task.To-task.From == 1 && len(task.Next) > 0 &&
		gpu.SameIDR(task.Track, unit.Data, task.Next) {
		unit, err = encoder.Encode(picture, 1, true)
	}
	return append(units, unit.Data), err
}

// hurried is the preset of what somebody waits for: half the work of the ladder's
// own, at the same bit rate within 0.3 dB of it either way.
const hurried = "superfast"

// encoderFor opens an encoder whose parameter set is among those of the track,
// so that its access units play with the rendition's init section.
func encoderFor(device gpu.Device, task *reencode.Task) (gpu.Encoder, error) {
	config := gpu.EncoderConfig{
		ID: task.Track.ID, Size: gpu.Size{Width: task.Track.Width, Height: task.Track.Height},
		Rate: task.Track.Rate, Bitrate: task.Bitrate, Threads: min(runtime.NumCPU(), 4),
	}
	for _, config.Preset = range []string{hurried, ""} {
		for _, config.ParameterSet = range []int{fallbackSet, primarySet} {
			encoder, err := device.NewEncoder(config)
			if err != nil {
				return nil, err
			}
			if gpu.HasParameterSets(task.Track, encoder.Track()) {
				return encoder, nil
			}
			encoder.Close()
		}
	}
	return nil, errors.New("the rendition was encoded with other parameter sets than this version makes")
}
