package process

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/haivision/srtgo"

	"millrace/internal/srt"
)

const backlog = 64 // callers that were let in and are not accepted yet

// listen opens the listener. Its blocking calls end by interrupt.
func listen(config srt.Config, judge srtgo.ListenCallbackFunc) (*srtgo.SrtSocket, error) {
	host, service, err := net.SplitHostPort(config.Listen)
	if err != nil {
		return nil, fmt.Errorf("read address: %w", err)
	}
	number, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("read port: %w", err)
	}
	if err := free(config.Listen); err != nil {
		return nil, err
	}
	if host != "" {
		return bind(host, uint16(number), config.LatencyMs, judge)
	}
	socket, err := bind("::", uint16(number), config.LatencyMs, judge)
	if err != nil { // a kernel without IPv6
		return bind("0.0.0.0", uint16(number), config.LatencyMs, judge)
	}
	return socket, nil
}

// free tells a port that is taken from other faults, which libsrt does not.
func free(address string) error {
	probe, err := net.ListenPacket("udp", address)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return probe.Close()
}

func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

func bind(host string, number uint16, latencyMs int, judge srtgo.ListenCallbackFunc) (*srtgo.SrtSocket, error) {
	socket := srtgo.NewSrtSocket(host, number, map[string]string{"blocking": "1", "mode": "listener", "transtype": "live"})
	if socket == nil {
		return nil, errors.New("make socket")
	}
	options := map[int]int{optionReuse: 0, optionLatencyMs: latencyMs}
	if host == "::" {
		options[optionIPv6Only] = 0
	}
	for option, value := range options {
		if err := socket.SetSockOptInt(option, value); err != nil {
			socket.Close()
			return nil, fmt.Errorf("set option %d: %w", option, err)
		}
	}
	socket.SetListenCallback(judge)
	if err := socket.Listen(backlog); err != nil { // it has closed the socket
		return nil, err
	}
	return socket, nil
}
