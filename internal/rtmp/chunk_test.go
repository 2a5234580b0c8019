package rtmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/rawmessage"
	"github.com/stretchr/testify/require"
)

// chunks writes chunk headers by hand.
type chunks struct{ bytes.Buffer }

func (c *chunks) u24(v uint32) { c.Write([]byte{byte(v >> 16), byte(v >> 8), byte(v)}) }

func (c *chunks) ext(field uint32) {
	if field >= extended {
		binary.Write(c, binary.BigEndian, field)
	}
}

// header writes a basic header and a message header of format 0 to 2, for an
// audio message of length bytes.
func (c *chunks) header(format, stream byte, field, length uint32) *chunks {
	c.WriteByte(format<<6 | stream)
	c.u24(min(field, extended))
	if format < 2 {
		c.u24(length)
		c.WriteByte(TypeAudio)
	}
	if format == 0 {
		c.Write([]byte{1, 0, 0, 0})
	}
	c.ext(field)
	return c
}

func (c *chunks) body(b ...byte) *chunks {
	c.Write(b)
	return c
}

func (c *chunks) control(kind byte, value uint32) *chunks {
	c.WriteByte(2)
	c.Write([]byte{0, 0, 0, 0, 0, 4, kind, 0, 0, 0, 0})
	binary.Write(c, binary.BigEndian, value)
	return c
}

// said is a message as the tests write it down.
type said struct {
	At   uint32
	Body string
}

func readAll(r *Reader) (all []said, err error) {
	for {
		m, err := r.Next()
		if err != nil {
			return all, err
		}
		if m.Type == TypeAudio {
			all = append(all, said{m.Timestamp, string(m.Body)})
		}
	}
}

func TestChunkTimestamps(t *testing.T) {
	for name, c := range map[string]struct {
		in   *chunks
		want []said
	}{
		"R03 extended timestamps, absolute and as a delta": {
			new(chunks).header(0, 4, 0xFFFFFF, 1).body('a').header(1, 4, 0x1000000, 1).body('b').header(2, 4, 20, 0).body('c'),
			[]said{{0xFFFFFF, "a"}, {0x1FFFFFF, "b"}, {0x2000013, "c"}},
		},
		"R02 the 32-bit counter rolls": {
			new(chunks).header(0, 4, 0xFFFFF000, 1).body('a').header(2, 4, 0x2000, 0).body('b'),
			[]said{{0xFFFFF000, "a"}, {0x1000, "b"}},
		},
		"R03 negative delta in 32 bits": {
			new(chunks).header(0, 4, 1000, 1).body('a').header(2, 4, ^uint32(15), 0).body('b'),
			[]said{{1000, "a"}, {984, "b"}},
		},
		"R03 negative delta in 24 bits": {
			new(chunks).header(0, 4, 1000, 1).body('a').header(2, 4, 0xFFFFF0, 0).body('b'),
			[]said{{1000, "a"}, {984, "b"}},
		},
		"type 3 repeats the delta": {
			new(chunks).header(0, 4, 100, 1).body('a').header(1, 4, 20, 1).body('b').body(0xC4, 'c').body(0xC4, 'd'),
			[]said{{100, "a"}, {120, "b"}, {140, "c"}, {160, "d"}},
		},
		"type 3 behind type 0 is of the same instant": {
			new(chunks).header(0, 4, 100, 1).body('a').body(0xC4, 'b'),
			[]said{{100, "a"}, {100, "b"}},
		},
		"type 3 behind an extended type 0 says the instant": {
			new(chunks).header(0, 4, 0x1000000, 1).body('a').body(0xC4, 1, 0, 0, 5, 'b'),
			[]said{{0x1000000, "a"}, {0x1000005, "b"}},
		},
		"librtmp begins with type 1": {
			new(chunks).header(1, 4, 7, 1).body('a'),
			[]said{{7, "a"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(NewReader(c.in, 100))
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, c.want, got)
		})
	}
}

func TestChunksOfOneMessage(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 30)
	const at = 0x01020304
	for name, c := range map[string]*chunks{
		"with the timestamp in each (RTMP 1.0 §5.3.1.3)": new(chunks).header(0, 4, at, 300).body(body[:128]...).
			body(0xC4, 1, 2, 3, 4).body(body[128:256]...).body(0xC4, 1, 2, 3, 4).body(body[256:]...),
		"without, as some clients do": new(chunks).header(0, 4, at, 300).body(body[:128]...).
			body(0xC4).body(body[128:256]...).body(0xC4).body(body[256:]...),
		"after Set Chunk Size": new(chunks).control(TypeSetChunkSize, 0x7FFFFFFF).header(0, 4, at, 300).body(body...),
		"with another stream between": new(chunks).header(0, 4, at, 300).body(body[:128]...).control(99, 0).
			body(0xC4).body(body[128:256]...).body(0xC4).body(body[256:]...),
		"on a chunk stream of two bytes": new(chunks).body(0, 10).body(0, 0, 1, 0, 0, 1, TypeAudio, 1, 0, 0, 0, 'x').
			header(0, 4, at, 300).body(body[:128]...).body(0xC4).body(body[128:256]...).body(0xC4).body(body[256:]...),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(NewReader(c, 400))
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, said{at, string(body)}, got[len(got)-1])
		})
	}
}

func TestAbort(t *testing.T) {
	c := new(chunks).header(0, 4, 1, 300).body(make([]byte, 128)...).control(TypeAbort, 4).control(TypeAbort, 5).
		header(0, 4, 2, 300).body(make([]byte, 128)...).body(0xC4).body(make([]byte, 128)...).body(0xC4).body(make([]byte, 44)...)
	got, err := readAll(NewReader(c, 310))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []said{{2, string(make([]byte, 300))}}, got)
}

// R09, and CVE-2016-10191: sizes that do not fit are errors, not memory.
func TestR09SizesAreBounded(t *testing.T) {
	many := new(chunks)
	for stream := range byte(60) {
		many.header(0, stream+3, 0, 200).body(make([]byte, 128)...)
	}
	streams := new(chunks)
	for i := range byte(maxChunkStreams + 1) {
		streams.body(0, i).body(0, 0, 0, 0, 0, 0, TypeAudio, 0, 0, 0, 0)
	}
	for name, c := range map[string]*chunks{
		"long message":             new(chunks).header(0, 4, 0, 1001),
		"many unfinished messages": many,
		"many chunk streams":       streams,
		"chunk size 0":             new(chunks).control(TypeSetChunkSize, 0),
		"chunk size with sign":     new(chunks).control(TypeSetChunkSize, 1<<31),
		"short Set Chunk Size":     new(chunks).body(2, 0, 0, 0, 0, 0, 1, TypeSetChunkSize, 0, 0, 0, 0, 9),
		"short Abort":              new(chunks).body(2, 0, 0, 0, 0, 0, 1, TypeAbort, 0, 0, 0, 0, 9),
		"size changes midway": new(chunks).header(0, 4, 0, 200).body(make([]byte, 128)...).
			header(1, 4, 0, 100).body(make([]byte, 100)...),
		"begins with type 2": new(chunks).header(2, 4, 0, 0),
		"begins with type 3": new(chunks).body(0xC4),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(NewReader(c, 1000))
			require.ErrorIs(t, err, ErrProtocol)
		})
	}
}

// What an independent writer sends arrives, whatever the timestamps do.
func TestReaderAgreesWithLibrary(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var wire bytes.Buffer
	w := rawmessage.NewWriter(&wire, bytecounter.NewWriter(&wire), false)
	var want []said
	at := uint32(0xFFFFFF - 3000)
	for range 2000 {
		at += rnd.Uint32N(60)
		if rnd.IntN(50) == 0 {
			at += 0x1000000
		}
		body := bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(500))
		require.NoError(t, w.Write(&rawmessage.Message{
			ChunkStreamID: byte(3 + rnd.IntN(4)), Timestamp: time.Duration(at) * time.Millisecond,
			Type: TypeAudio, MessageStreamID: 1 << 24, Body: body,
		}))
		want = append(want, said{at, string(body)})
	}
	got, err := readAll(NewReader(&wire, 1000))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, want, got)
}

func FuzzReader(f *testing.F) {
	f.Add(new(chunks).header(0, 4, 0xFFFFFF, 1).body('a').header(1, 4, 0x1000000, 1).body('b').Bytes())
	f.Add(new(chunks).control(TypeSetChunkSize, 1).header(0, 4, 5, 3).body('a', 0xC4, 'b', 0xC4, 'c').Bytes())
	f.Add(new(chunks).header(0, 4, 1, 300).body(make([]byte, 128)...).control(TypeAbort, 4).Bytes())
	f.Fuzz(func(t *testing.T, wire []byte) {
		const limit = 4096
		r := NewReader(bytes.NewReader(wire), limit)
		for {
			m, err := r.Next()
			if err != nil {
				if !errors.Is(err, ErrProtocol) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
				return
			}
			held := 0
			for _, s := range r.streams {
				held += cap(s.body)
			}
			if len(m.Body) > limit || r.claimed < 0 || r.claimed > limit || held > limit {
				t.Fatal(fmt.Sprint("holds too much: ", len(m.Body), r.claimed, held))
			}
		}
	})
}
