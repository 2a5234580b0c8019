package whepfan

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"millrace/internal/media"
	"millrace/internal/rtc"
	"millrace/output/whep"
)

// fan is a side: an http.Handler for WHEP that is given access units.
type fan interface {
	http.Handler
	write(n int64, unit []byte, key bool)
	run(context.Context) error
}

// Serve is a sending process: it prints its endpoint, sends until its standard
// input ends, and prints what the CPU did between "begin" and "end".
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	make := newOurs
	if os.Getenv(sideVariable) == plain {
		make = newPlain
	}
	side, err := make()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: side, ReadHeaderTimeout: time.Minute}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	var faults [2]error
	running.Go(func() { faults[0] = side.run(ctx) })
	running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			faults[1] = err
		}
	})
	running.Go(func() { pump(ctx, side) })
	fmt.Fprintf(out, "http://%s/whep/main\n", listener.Addr())
	err = answer(in, out)
	cancel()
	err = errors.Join(err, server.Close())
	running.Wait()
	return errors.Join(err, faults[0], faults[1])
}

// answer measures between the words of the standard input.
func answer(in io.Reader, out io.Writer) error {
	var before time.Duration
	var profile *os.File
	for words := bufio.NewScanner(in); words.Scan(); {
		switch words.Text() {
		case "begin":
			if path := os.Getenv(profileVariable); path != "" {
				var err error
				if profile, err = os.Create(path); err != nil {
					return fmt.Errorf("make profile: %w", err)
				}
				if err := pprof.StartCPUProfile(profile); err != nil {
					return fmt.Errorf("begin profile: %w", err)
				}
			}
			before = spent()
		case "end":
			used := spent() - before
			if profile != nil {
				pprof.StopCPUProfile()
				if err := profile.Close(); err != nil {
					return fmt.Errorf("write profile: %w", err)
				}
			}
			if err := json.NewEncoder(out).Encode(used.Seconds()); err != nil {
				return fmt.Errorf("print cost: %w", err)
			}
		}
	}
	return nil
}

// spent is the user and system time of this process.
func spent() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// pump sends access units at their times.
func pump(ctx context.Context, side fan) {
	ticker := time.NewTicker(time.Second / rate)
	defer ticker.Stop()
	const size = bitrate / 8 / rate * gopFrames / (gopFrames - 1 + keySize)
	for n := int64(0); ; n++ {
		key := n%gopFrames == 0
		nal := make([]byte, size)
		if key {
			nal = make([]byte, size*keySize)
		}
		nal[0] = 0x41
		if key {
			nal[0] = 0x65
		}
		side.write(n, append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...), key)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// avcC of 1280x720, High.
var avcC = []byte{1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f, 1, 0, 4, 0x68, 0xee, 0x3c, 0x80}

// own is our side.
type own struct {
	*whep.Server
	transport *rtc.Transport
	program   *whep.Program
	track     *media.Track
}

func newOurs() (fan, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("open port: %w", err)
	}
	o := &own{transport: rtc.New(rtc.Config{UDP: conn})}
	o.track = &media.Track{ID: "v720", Kind: media.Video, Codec: media.H264, Config: avcC, Width: 1280, Height: 720}
	o.Server = whep.New(whep.Config{Transport: o.transport, Clock: media.StartClock()})
	o.program = o.Server.NewProgram(whep.ProgramConfig{Resource: "main", Rungs: []whep.Rung{{ID: "v720", Track: o.track, Bitrate: bitrate}}})
	return o, nil
}

func (o *own) run(ctx context.Context) error {
	var both sync.WaitGroup
	var faults [2]error
	both.Go(func() { faults[0] = o.transport.Run(ctx) })
	both.Go(func() { faults[1] = o.program.Run(ctx) })
	both.Wait()
	return errors.Join(faults[:]...)
}

func (o *own) write(n int64, unit []byte, key bool) {
	at := media.Rate{Num: rate, Den: 1}.At(n)
	o.program.Write(&media.Packet{Track: o.track, PTS: at, DTS: at, Key: key, Data: unit})
}

// bare is what one writes with pion in an afternoon.
type bare struct {
	api       *webrtc.API
	track     *webrtc.TrackLocalStaticRTP
	packets   rtp.Packetizer
	mux       *ice.UDPMuxDefault
	mu        sync.Mutex
	audiences []*webrtc.PeerConnection
}

func newPlain() (fan, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("open port: %w", err)
	}
	b := &bare{packets: rtp.NewPacketizer(1200, 0, 0, &codecs.H264Payloader{}, rtp.NewRandomSequencer(), 90000)}
	b.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn})
	var settings webrtc.SettingEngine
	settings.SetICEUDPMux(b.mux)
	settings.SetIncludeLoopbackCandidate(true)
	b.api = webrtc.NewAPI(webrtc.WithSettingEngine(settings))
	if b.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000}, "video", "plain"); err != nil {
		return nil, fmt.Errorf("make track: %w", err)
	}
	return b, nil
}

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	answer, err := b.admit(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // the viewer is gone
}

func (b *bare) admit(body io.Reader) (string, error) {
	offer, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	pc, err := b.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	b.audiences = append(b.audiences, pc)
	b.mu.Unlock()
	sender, err := pc.AddTrack(b.track)
	if err != nil {
		return "", err
	}
	go func() { // interceptors act on what is read; ends with the peer
		buffer := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(buffer); err != nil {
				return
			}
		}
	}()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)}); err != nil {
		return "", err
	}
	local, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(local); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

func (b *bare) run(ctx context.Context) error {
	<-ctx.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pc := range b.audiences {
		_ = pc.Close() // the measurement is over
	}
	return b.mux.Close()
}

func (b *bare) write(_ int64, unit []byte, _ bool) {
	annexB := append([]byte{0, 0, 0, 1}, unit[4:]...)
	for _, packet := range b.packets.Packetize(annexB, 90000/rate) {
		_ = b.track.WriteRTP(packet) // a viewer that is gone
	}
}
