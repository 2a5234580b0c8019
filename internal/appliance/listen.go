package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"millrace/internal/appliance/config"
)

// listeners are the sockets of a node, bound before anything starts, so that a
// busy port ends the start with one sentence.
type listeners struct {
	control, media, rtmp net.Listener // rtmp is nil when it is off
	srt                  string       // the address that the srt process binds
	webrtc               *net.UDPConn // nil when it is off
	webrtcTCP            net.Listener // ICE-TCP; nil when it is off
}

func bind(cfg config.Config) (*listeners, error) {
	var l listeners
	var err error
	var faults []error
	for _, socket := range []struct {
		into    *net.Listener
		setting string
		address string
	}{
		{&l.control, "control.listen", cfg.Control.Listen},
		{&l.media, "media.listen", cfg.Media.Listen},
		{&l.rtmp, "ingest.rtmp", cfg.Ingest.RTMP},
	} {
		if socket.address == "" {
			continue
		}
		if *socket.into, err = net.Listen("tcp", socket.address); err != nil {
			faults = append(faults, bindFault(socket.setting, socket.address, err))
		}
	}
	if l.srt, err = probeUDP(cfg.Ingest.SRT); err != nil {
		faults = append(faults, bindFault("ingest.srt", cfg.Ingest.SRT, err))
	}
	if err := l.bindWebRTC(cfg.WebRTC); err != nil {
		faults = append(faults, bindFault("webrtc.listen", cfg.WebRTC.Listen, err))
	}
	if len(faults) > 0 {
		l.close()
		return nil, errors.Join(faults...)
	}
	return &l, nil
}

// bindWebRTC opens the UDP port, and the TCP port of the same number.
func (l *listeners) bindWebRTC(cfg config.WebRTC) error {
	if cfg.Listen == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return err
	}
	const tries = 20 // where any port will do, its number may be taken for TCP
	for try := 0; ; try++ {
		conn, err := net.ListenPacket("udp", cfg.Listen)
		if err != nil {
			return err
		}
		l.webrtc = conn.(*net.UDPConn)
		if !cfg.TCP {
			return nil
		}
		number := l.webrtc.LocalAddr().(*net.UDPAddr).Port
		l.webrtcTCP, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(number)))
		if err == nil || port != "0" || try == tries {
			return err
		}
		l.webrtc.Close()
	}
}

// secure puts TLS in front of the HTTP listeners where it is asked for.
func (l *listeners) secure(cfg config.Config, log *slog.Logger) error {
	control, controlErr := wrapTLS(l.control, cfg.Control.TLS, cfg.Node.DataDir, log)
	media, mediaErr := wrapTLS(l.media, cfg.Media.TLS, cfg.Node.DataDir, log)
	if err := errors.Join(controlErr, mediaErr); err != nil {
		return err
	}
	l.control, l.media = control, media
	return nil
}

func bindFault(setting, address string, err error) error {
	_, port, _ := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %s is in use by another program; stop it or set %s to another address", port, setting)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %s may not be opened by this user; set %s to a port above 1023", port, setting)
	}
	return fmt.Errorf("open %s %s: %w", setting, address, err)
}

// probeUDP sees whether the address can be bound and, for port 0, picks a free
// port. The srt process binds it a moment later.
func probeUDP(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(conn.LocalAddr().String())
	return net.JoinHostPort(host, port), err
}

func (l *listeners) close() {
	for _, listener := range []net.Listener{l.control, l.media, l.rtmp, l.webrtcTCP} {
		if listener != nil {
			listener.Close()
		}
	}
	if l.webrtc != nil {
		l.webrtc.Close()
	}
}

// What a client of the control listener may take before it is cut off.
const (
	headerTimeout = 10 * time.Second
	answerTimeout = 5 * time.Minute // streams and downloads have their own
	idleTimeout   = 2 * time.Minute
	headerBytes   = 16 << 10
)

// controlServer answers the API and its pages.
func controlServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: paced(handler), ReadHeaderTimeout: headerTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serveHTTP answers a listener until the context ends, then lets requests in
// progress finish for a moment.
func serveHTTP(ctx context.Context, listener net.Listener, server *http.Server) error {
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.ShutdownGrace/2)
		defer cancel()
		stopped <- errors.Join(ignoreDeadline(server.Shutdown(grace)), server.Close())
	})
	err := server.Serve(listener)
	if !stop() {
		return <-stopped
	}
	return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
}

func ignoreDeadline(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // whoever is still reading is cut off by Close
	}
	return err
}
