package whep

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/media"
	"millrace/internal/rtc"
	"millrace/internal/rtc/rtctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// x264's parameter sets for 64x64 pixels, with the profile of a real rung.
const (
	testSPS = "6764100aacb884d80880000003008000001e42"
	testPPS = "68ee0fcb"
)

func unhex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

func avcC(profile string) []byte {
	sps, pps := unhex(testSPS), unhex(testPPS)
	config := append(append([]byte{1}, unhex(profile)...), 0xff, 0xe1, 0, byte(len(sps)))
	config = append(append(config, sps...), 1, 0, byte(len(pps)))
	return append(config, pps...)
}

func videoTrack(id string) *media.Track {
	return &media.Track{ID: id, Kind: media.Video, Codec: media.H264, Config: avcC("64001f"), Width: 64, Height: 64}
}

var soundTrack = &media.Track{ID: "opus", Kind: media.Audio, Codec: media.Opus, SampleRate: 48000, Channels: 2}

// ladder is a program's packets: three rungs and sound.
type ladder struct {
	rungs []Rung
	frame int64
}

func newLadder() *ladder {
	return &ladder{rungs: []Rung{
		{"v720", videoTrack("v720"), 2_800_000}, {"v480", videoTrack("v480"), 1_400_000}, {"v240", videoTrack("v240"), 400_000},
	}}
}

var rate = media.Rate{Num: 30, Den: 1}

// picture is the access unit of a frame of a rung.
func picture(frame int64, rung int, key bool) []byte {
	rnd := rand.New(rand.NewPCG(uint64(frame), uint64(rung)))
	nal := []byte{0x41, 0x9a, byte(rung + 1)}
	size := 900
	if key {
		nal[0], size = 0x65, 5000
	}
	nal = binary.BigEndian.AppendUint32(nal, uint32(frame)|0x01010101)
	for len(nal) < size {
		nal = append(nal, byte(rnd.IntN(255)+1))
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...)
}

// tick writes the packets of the next frame; keys names the rungs that have a
// keyframe besides those of each 48th frame.
func (l *ladder) tick(sink media.Sink, keys ...string) {
	n := l.frame
	l.frame++
	at := rate.At(n + 53_000_000_000)
	for i, r := range l.rungs {
		key := n%48 == 0
		for _, id := range keys {
			key = key || id == r.ID
		}
		sink.Write(&media.Packet{Track: r.Track, PTS: at, DTS: at, Key: key, Data: picture(n, i, key)})
	}
	sink.Write(&media.Packet{Track: soundTrack, PTS: at, DTS: at, Key: true, Data: append([]byte{0xfc}, byte(n), 1, 2, 3)})
}

// place is a server with the program "main".
type place struct {
	*Server
	transport *rtc.Transport
	program   *Program
	stop      func()
	base      string
	ladder    *ladder
	keys      chan string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{transport: rtctest.Transport(t, nil), ladder: newLadder(), keys: make(chan string, 100)}
	p.Server = New(Config{Transport: p.transport, Clock: media.StartClock()})
	p.program = p.NewProgram(ProgramConfig{
		Resource: "main", Rungs: p.ladder.rungs, Audio: soundTrack, RequestKey: func(rung string) bool { p.keys <- rung; return true },
	})
	p.stop = rtctest.Run(t, p.program.Run)
	require.Eventually(t, func() bool { return p.Server.program("main") != nil }, rtctest.Wait, time.Millisecond)
	p.base = rtctest.Serve(t, p)
	return p
}

// air writes frames until enough says that it is, at real speed or faster. An
// asked-for keyframe comes with the next frame.
func (p *place) air(t *testing.T, interval time.Duration, enough func() bool) {
	t.Helper()
	deadline := time.Now().Add(rtctest.Wait)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !enough() {
		require.True(t, time.Now().Before(deadline), "not enough")
		var keys []string
		select {
		case id := <-p.keys:
			keys = append(keys, id)
		default:
		}
		p.ladder.tick(p.program, keys...)
		<-ticker.C
	}
}

// watcher is a client that keeps the pictures and the sound that it gets.
type watcher struct {
	pc *webrtc.PeerConnection

	mu       sync.Mutex
	pictures [][]byte // Annex B
	stamps   []uint32
	times    []time.Time
	sound    [][]byte
	heard    []uint32 // timestamps of sound
	ssrc     uint32
}

func watch(t testing.TB, o rtctest.Options, kinds ...webrtc.RTPCodecType) *watcher {
	t.Helper()
	w := &watcher{pc: rtctest.NewPeer(t, o)}
	if kinds == nil {
		kinds = []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio}
	}
	for _, kind := range kinds {
		_, err := w.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		require.NoError(t, err)
	}
	w.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if track.Kind() == webrtc.RTPCodecTypeAudio {
			w.listen(track)
			return
		}
		w.mu.Lock()
		w.ssrc = uint32(track.SSRC())
		w.mu.Unlock()
		w.look(track)
	})
	return w
}

func (w *watcher) listen(track *webrtc.TrackRemote) {
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		w.mu.Lock()
		w.sound, w.heard = append(w.sound, p.Payload), append(w.heard, p.Timestamp)
		w.mu.Unlock()
	}
}

// look puts packets in order, as long as it takes, and pictures together.
func (w *watcher) look(track *webrtc.TrackRemote) {
	waiting := map[uint16]*rtp.Packet{}
	var next uint16
	begun := false
	var d codecs.H264Packet
	var open []byte
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		if !begun {
			begun, next = true, p.SequenceNumber
		}
		waiting[p.SequenceNumber] = p
		for ; waiting[next] != nil; next++ {
			p := waiting[next]
			delete(waiting, next)
			part, err := d.Unmarshal(p.Payload)
			if err != nil {
				continue
			}
			open = append(open, part...)
			if p.Marker {
				w.mu.Lock()
				w.pictures, w.stamps, w.times = append(w.pictures, open), append(w.stamps, p.Timestamp), append(w.times, time.Now())
				w.mu.Unlock()
				open = nil
			}
		}
	}
}

func (w *watcher) seen() (pictures, sound int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pictures), len(w.sound)
}
