package child

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// MaxFrame is the largest payload of one frame, in bytes.
const MaxFrame = 32 << 20

// inheritedFD is where a child finds its end of the socket.
const inheritedFD = 3

// ErrFrameSize says that a frame is larger than MaxFrame.
var ErrFrameSize = errors.New("frame is too large")

// Conn carries frames over a unix stream socket: the payload's length as a
// big-endian uint32, one byte of kind, the payload. Send and Close may be
// called from any goroutine, Receive from one at a time.
type Conn struct {
	socket  *net.UnixConn
	reader  *bufio.Reader
	sending sync.Mutex
}

func newConn(socket *net.UnixConn) *Conn {
	return &Conn{socket: socket, reader: bufio.NewReaderSize(socket, 64<<10)}
}

// Send writes one frame whose payload is the parts joined, without copying
// them. It blocks while the socket is full; Close ends that. After an error
// nothing more can be sent, because half a frame may be out; what the other
// end sent before can still be received.
func (c *Conn) Send(kind byte, parts ...[]byte) error {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	if size > MaxFrame {
		return fmt.Errorf("send frame of %d bytes: %w", size, ErrFrameSize)
	}
	header := make([]byte, 5)
	binary.BigEndian.PutUint32(header, uint32(size))
	header[4] = kind
	buffers := make(net.Buffers, 0, len(parts)+1)
	buffers = append(append(buffers, header), parts...)

	c.sending.Lock()
	defer c.sending.Unlock()
	if _, err := buffers.WriteTo(c.socket); err != nil {
		_ = c.socket.CloseWrite() // the first error is the one that tells
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

// Receive reads one frame. The payload belongs to the caller. The error is
// io.EOF when the other end closed between frames.
func (c *Conn) Receive() (kind byte, payload []byte, err error) {
	var header [5]byte
	if _, err := io.ReadFull(c.reader, header[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, nil, io.EOF
		}
		return 0, nil, fmt.Errorf("receive frame header: %w", err)
	}
	size := binary.BigEndian.Uint32(header[:4])
	if size > MaxFrame {
		return 0, nil, fmt.Errorf("receive frame of %d bytes: %w", size, ErrFrameSize)
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(c.reader, payload); err != nil {
		return 0, nil, fmt.Errorf("receive frame payload: %w", err)
	}
	return header[4], payload, nil
}

// Close ends both directions and every blocked call. It may be called twice.
func (c *Conn) Close() error {
	if err := c.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close socket: %w", err)
	}
	return nil
}

// Pair is two connected ends in this process.
func Pair() (*Conn, *Conn, error) {
	near, far, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	nearConn, err := fileConn(near)
	if err != nil {
		_ = far.Close()
		return nil, nil, err
	}
	farConn, err := fileConn(far)
	if err != nil {
		_ = nearConn.Close()
		return nil, nil, err
	}
	return nearConn, farConn, nil
}

// Inherited is the end that Start gave to this process. It can be taken once.
func Inherited() (*Conn, error) {
	unix.CloseOnExec(inheritedFD)
	conn, err := fileConn(os.NewFile(inheritedFD, "parent"))
	if err != nil {
		return nil, fmt.Errorf("take the socket of the parent process: %w", err)
	}
	return conn, nil
}

func socketPair() (*os.File, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "child"), os.NewFile(uintptr(fds[1]), "parent"), nil
}

// fileConn takes file over, also on failure.
func fileConn(file *os.File) (*Conn, error) {
	socket, err := net.FileConn(file)
	closeErr := file.Close() // FileConn works on a duplicate
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	if closeErr != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("close duplicate of socket: %w", closeErr)
	}
	unixSocket, ok := socket.(*net.UnixConn)
	if !ok {
		_ = socket.Close()
		return nil, fmt.Errorf("open socket: descriptor is a %T", socket)
	}
	return newConn(unixSocket), nil
}
