package pull

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/mpegts"
)

const (
	datagram    = 64 << 10
	socketBytes = 4 << 20
	syncByte    = 0x47
	rtpHeader   = 12
)

// pullUDP receives a transport stream, bare or in RTP, at a port of this machine
// or from a multicast group.
func pullUDP(ctx context.Context, at *url.URL, connect func() (ingest.Session, error), log *slog.Logger) (err error) {
	conn, err := listen(at)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadBuffer(socketBytes); err != nil {
		log.Info("socket keeps its small buffer", "err", err)
	}
	buffer := make([]byte, datagram)
	var feed *transport
	defer func() {
		if feed != nil {
			feed.session.Close(err)
		}
	}()
	for {
		n, _, err := conn.ReadFromUDP(buffer)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		packet := payload(buffer[:n])
		if packet == nil {
			continue // noise
		}
		if feed == nil { // the first that looks like a stream
			session, err := connect()
			if err != nil {
				return err
			}
			feed = newTransport(session)
		}
		if err := feed.read(packet); err != nil {
			return err
		}
	}
}

func listen(at *url.URL) (*net.UDPConn, error) {
	port, err := strconv.ParseUint(at.Port(), 10, 16)
	if err != nil {
		return nil, errors.New("needs a port")
	}
	address := &net.UDPAddr{IP: net.ParseIP(at.Hostname()), Port: int(port)}
	if address.IP.IsMulticast() {
		var through *net.Interface
		if name := at.Query().Get("interface"); name != "" {
			if through, err = net.InterfaceByName(name); err != nil {
				return nil, fmt.Errorf("interface %q: %w", name, err)
			}
		}
		return net.ListenMulticastUDP("udp", through, address)
	}
	conn, err := net.ListenUDP("udp", address)
	var fault *os.SyscallError
	if errors.As(err, &fault) {
		return nil, fmt.Errorf("listen at port %d: %w", port, fault.Err)
	}
	return conn, err
}

// payload is the transport packets of a datagram; nil where there are none.
func payload(packet []byte) []byte {
	if len(packet) > rtpHeader && packet[0] != syncByte && packet[0]>>6 == 2 { // RTP (RFC 3550 §5.1)
		header := rtpHeader + 4*int(packet[0]&0x0f)
		if packet[0]&0x10 != 0 && len(packet) >= header+4 {
			header += 4 + 4*(int(packet[header+2])<<8|int(packet[header+3]))
		}
		packet = packet[min(header, len(packet)):]
	}
	if len(packet) == 0 || packet[0] != syncByte {
		return nil
	}
	return packet
}

// transport makes access units of a transport stream.
type transport struct {
	session ingest.Session
	demuxer *mpegts.Demuxer
	arrived []ingest.AccessUnit
}

func newTransport(session ingest.Session) *transport {
	t := &transport{session: session}
	t.demuxer = mpegts.NewDemuxer(func(track *media.Track, pts, dts time.Duration, key bool, data []byte) {
		t.arrived = append(t.arrived, ingest.AccessUnit{Track: track, PTS: pts, DTS: dts, Key: key, Data: data})
	})
	return t
}

// read hands over what a piece of the stream completes: of the sound of one PES
// packet all but the last waited for it.
func (t *transport) read(piece []byte) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = errors.New("a transport stream that broke its parser")
		}
	}()
	t.demuxer.Write(piece)
	last := map[string]time.Duration{}
	for _, unit := range t.arrived {
		last[unit.Track.ID] = unit.DTS
	}
	for _, unit := range t.arrived {
		unit.Wait = last[unit.Track.ID] - unit.DTS
		t.session.Write(unit)
	}
	clear(t.arrived)
	t.arrived = t.arrived[:0]
	return nil
}
