package whip

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/ingest"
	"millrace/internal/rtc"
	"millrace/internal/rtc/rtctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// feed is a session that remembers what it was given.
type feed struct {
	mu      sync.Mutex
	units   []ingest.AccessUnit
	times   []time.Time
	closed  chan struct{}
	reason  error
	changed chan struct{} // closed at each write, then renewed
	revoke  chan struct{}
	why     error
	wanted  atomic.Pointer[ingest.Size]
	key     atomic.Bool
}

func newFeed() *feed {
	return &feed{closed: make(chan struct{}), changed: make(chan struct{}), revoke: make(chan struct{})}
}

func (f *feed) Write(u ingest.AccessUnit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.units, f.times = append(f.units, u), append(f.times, time.Now())
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) Close(reason error)       { f.reason = reason; close(f.closed) }
func (f *feed) Revoked() <-chan struct{} { return f.revoke }
func (f *feed) Reason() error            { return f.why }

func (f *feed) KeyWanted() bool { return f.key.Swap(false) }

func (f *feed) Wanted() (size ingest.Size) {
	if wanted := f.wanted.Load(); wanted != nil {
		size = *wanted
	}
	return size
}

// until waits until enough says yes to the units so far.
func (f *feed) until(t *testing.T, enough func([]ingest.AccessUnit) bool) []ingest.AccessUnit {
	t.Helper()
	deadline := time.After(rtctest.Wait)
	for {
		f.mu.Lock()
		units, changed := f.units, f.changed
		f.mu.Unlock()
		if enough(units) {
			return units
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not enough: %d units", len(units))
		}
	}
}

func (f *feed) end(t *testing.T) error {
	t.Helper()
	select {
	case <-f.closed:
		return f.reason
	case <-time.After(rtctest.Wait):
		t.Fatal("session not closed")
		return nil
	}
}

const goodKey = "abcdefghij0123456789"

// place is a server with one source, cam1.
type place struct {
	*Server
	transport *rtc.Transport
	base      string
	feeds     chan *feed
	refuse    atomic.Pointer[error]
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{transport: rtctest.Transport(t, nil), feeds: make(chan *feed, 16)}
	p.Server = New(Config{Transport: p.transport, Authorize: p.authorize, Accept: p.accept})
	p.base = rtctest.Serve(t, p)
	return p
}

func (p *place) authorize(r Request) error {
	switch {
	case r.Source != "cam1":
		return fmt.Errorf("%w: %q", ingest.ErrUnknownSource, r.Source)
	case r.Key != goodKey:
		return ingest.ErrBadKey
	}
	return nil
}

func (p *place) accept(Request) (ingest.Session, error) {
	if err := p.refuse.Load(); err != nil {
		return nil, *err
	}
	f := newFeed()
	p.feeds <- f
	return f, nil
}

func (p *place) feed(t *testing.T) *feed {
	t.Helper()
	select {
	case f := <-p.feeds:
		return f
	case <-time.After(rtctest.Wait):
		t.Fatal("nobody published")
		return nil
	}
}

// picture makes frame n of a codec: what a publisher sends, and what is to
// arrive.
type picture func(n int, key bool) (sent, want []byte)

// noise is size bytes without start codes that begin with the number.
func noise(n, size int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(n), 7))
	b := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(n)|0x01010101)
	for len(b) < size {
		b = append(b, byte(rnd.IntN(255)+1))
	}
	return b
}

// x264's parameter sets for 64x64 pixels.
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

func h264Picture(n int, key bool) (sent, want []byte) {
	var nals [][]byte
	if key {
		nals = append(nals, unhex(testSPS), unhex(testPPS), append([]byte{0x65, 0x88}, noise(n, 5000)...))
	} else {
		nals = append(nals, append([]byte{0x41, 0x9a}, noise(n, 2000)...))
	}
	for _, nal := range nals {
		sent = append(append(sent, 0, 0, 0, 1), nal...)
		want = append(binary.BigEndian.AppendUint32(want, uint32(len(nal))), nal...)
	}
	return sent, want
}

func vp8Picture(n int, key bool) (sent, want []byte) {
	if key {
		sent = append([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0}, noise(n, 5000)...)
	} else {
		sent = append([]byte{0x11, 0, 0}, noise(n, 2000)...)
	}
	return sent, sent
}

func vp9Picture(n int, key bool) (sent, want []byte) {
	if key { // 1920x804, of Chrome
		sent = append(unhex("824983420077f032343038241c19401803405fb4"), noise(n, 5000)...)
	} else {
		sent = append([]byte{0x86, 0x00}, noise(n, 2000)...)
	}
	return sent, sent
}

func av1Picture(n int, key bool) (sent, want []byte) {
	if key { // 1920x804, of Chrome
		sent = append([]byte{0x0a, 0x0b}, unhex("00000042a7bfe4600d0040")...)
	}
	body := noise(n, 3000)
	sent = append(append(sent, 0x32, byte(len(body)&0x7f|0x80), byte(len(body)>>7)), body...) // OBU_FRAME
	return append([]byte{0x12, 0}, sent...), sent                                             // behind a temporal delimiter
}

func opusPacket(n int) []byte { return append([]byte{0xfc}, noise(n, 80)...) } // CELT, 20 ms, stereo

// publisher sends pictures and sound until the test ends.
type publisher struct {
	pc    *webrtc.PeerConnection
	video *webrtc.TrackLocalStaticSample
	audio *webrtc.TrackLocalStaticSample
	plis  atomic.Int64
	keys  chan struct{}
}

func newPublisher(t *testing.T, mime string, sound bool, o rtctest.Options) *publisher {
	t.Helper()
	p := &publisher{pc: rtctest.NewPeer(t, o), keys: make(chan struct{}, 1)}
	add := func(mime, id string) (*webrtc.TrackLocalStaticSample, *webrtc.RTPSender) {
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, id, "stream")
		require.NoError(t, err)
		transceiver, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		require.NoError(t, err)
		return track, transceiver.Sender()
	}
	if sound {
		p.audio, _ = add(webrtc.MimeTypeOpus, "audio")
	}
	if mime != "" {
		var sender *webrtc.RTPSender
		p.video, sender = add(mime, "video")
		go p.listen(sender)
	}
	return p
}

// listen makes keyframes when asked.
func (p *publisher) listen(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, ok := packet.(*rtcp.PictureLossIndication); ok {
				p.plis.Add(1)
				select {
				case p.keys <- struct{}{}:
				default:
				}
			}
		}
	}
}

// send sends so many pictures, and sound with them, one each interval.
func (p *publisher) send(t *testing.T, make picture, from, count int, interval time.Duration) {
	t.Helper()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := from; n < from+count; n++ {
		if p.video != nil {
			key := n == 0
			select {
			case <-p.keys:
				key = true
			default:
			}
			data, _ := make(n, key)
			require.NoError(t, p.video.WriteSample(media.Sample{Data: data, Duration: time.Second / 30}))
		}
		if p.audio != nil {
			require.NoError(t, p.audio.WriteSample(media.Sample{Data: opusPacket(n), Duration: 20 * time.Millisecond}))
		}
		<-ticker.C
	}
}
