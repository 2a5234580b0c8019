package engine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/gpu/cudaemu"
	"millrace/internal/child"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// emulationVariable makes this test binary mix on an emulated card: the path of
// the emulation's library.
const emulationVariable = "MILLRACE_TEST_EMULATION"

// openDevice is what the tests mix on: the CPU, or an emulated card.
func openDevice(t *testing.T) gpu.Device {
	name, library := "cpu", os.Getenv(emulationVariable)
	if library != "" {
		name = "cuda:0"
	}
	device, err := gpu.OpenWith(name, library)
	require.NoError(t, err)
	return device
}

// TestOnAnEmulatedCard runs the engine's tests of pictures again, on the driver emulation: test
// equipment that computes with the kernel's source on the CPU.
func TestOnAnEmulatedCard(t *testing.T) {
	if os.Getenv(emulationVariable) != "" {
		t.Skip("this is the run on the card")
	}
	library, err := cudaemu.Build(t.TempDir())
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.skip=Fuzz|TestWorkerProcess|TestSessions|TestCard|Sound|Hear|Return|Delay", "-test.timeout=10m")
	command.Env = append(os.Environ(), emulationVariable+"="+library)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestAMixerThatStartsLateCatchesUpWithRepeats")
	require.NotContains(t, string(out), "left on the card")
}

// cardWorker is a worker on an emulated card that can be made to fail in a show.
type cardWorker struct {
	t       *testing.T
	control string // file
	library string
	log     chan string
	process *child.Process
	conn    *child.Conn
}

func newCardWorker(t *testing.T) *cardWorker {
	library, err := cudaemu.Build(t.TempDir())
	require.NoError(t, err)
	w := &cardWorker{t: t, control: filepath.Join(t.TempDir(), "control"), library: library, log: make(chan string, 1000)}
	w.fail("")
	return w
}

// fail tells the card how; launches count from now.
func (w *cardWorker) fail(faults string) {
	require.NoError(w.t, os.WriteFile(w.control, []byte(faults), 0o600))
}

// start begins a worker and gives its answer to hello.
func (w *cardWorker) start(hello *worker.Hello) *worker.Ready {
	w.begin(hello)
	message, err := worker.Receive(w.conn)
	require.NoError(w.t, err)
	require.IsType(w.t, &worker.Ready{}, message)
	return message.(*worker.Ready)
}

// begin begins a worker and says hello.
func (w *cardWorker) begin(hello *worker.Hello) {
	var err error
	w.process, w.conn, err = child.Start(child.Command{
		Args: []string{workerArg}, Env: []string{cudaemu.Faults + "=control=" + w.control}, Stderr: func(line string) { w.log <- line },
	})
	require.NoError(w.t, err)
	process, conn := w.process, w.conn
	w.t.Cleanup(func() {
		_ = conn.Close()
		process.Kill()
		_ = process.Wait()
	})
	hello.Driver = w.library
	require.NoError(w.t, worker.Send(w.conn, hello))
}

// mix starts the mixer and receives until a rung has so many frames, or the worker
// says what failed.
func (w *cardWorker) mix(first int64, frames int) (packets []*media.Packet, fault *worker.Fault) {
	require.NoError(w.t, worker.Send(w.conn, &worker.Start{Frame: first}))
	return w.receive(frames)
}

func (w *cardWorker) receive(frames int) (packets []*media.Packet, fault *worker.Fault) {
	for len(packets) < frames {
		message, err := worker.Receive(w.conn)
		require.NoError(w.t, err, "the worker ended without a word")
		switch m := message.(type) {
		case *worker.Fault:
			return packets, m
		case *worker.StreamPacket:
			if m.Stream == 0 {
				packets = append(packets, m.Packet)
			}
		}
	}
	return packets, nil
}

// A card that fails in a show is named, and a worker on the CPU goes on with what
// the init section says.
func TestCardFailsInAShow(t *testing.T) {
	for _, test := range []struct{ faults, cause string }{
		{"launch=3", worker.FaultLost}, {"lost=3", worker.FaultLost}, {"hang=3", worker.FaultSilent},
	} {
		t.Run(test.faults, func(t *testing.T) {
			t.Parallel()
			clock, show := media.StartClock(), testShow("30")
			w := newCardWorker(t)
			hello := helloFor(t, show, clock, true)
			hello.Device = "cuda:0"
			begun := w.start(hello)
			require.Equal(t, "cuda:0", begun.Encoder.Device)
			_, fault := w.mix(show.Canvas.Rate.Index(clock.Now())+3, 5)
			require.Nil(t, fault)
			w.fail(test.faults)
			_, fault = w.receive(1 << 20)
			require.Equal(t, "cuda:0", fault.Device)
			require.Equal(t, test.cause, fault.Cause, fault.Error)
			require.Error(t, w.process.Wait())

			track := begun.Renditions[0].Track
			hello = helloFor(t, show, clock, false)
			hello.Sets = map[string][]byte{track.ID: track.Config}
			ready := w.start(hello)
			require.Equal(t, "cpu", ready.Encoder.Device)
			require.Equal(t, track, ready.Renditions[0].Track, "the same init section")
			first := show.Canvas.Rate.Index(clock.Now()) + 3
			packets, fault := w.mix(first, 10)
			require.Nil(t, fault)
			require.True(t, packets[0].Key)
			for i, p := range packets {
				require.Equal(t, show.Canvas.Rate.At(first+int64(i)), p.PTS)
			}
		})
	}
}

// A card without room for the show is named before the worker is ready.
func TestCardWithoutRoom(t *testing.T) {
	w := newCardWorker(t)
	w.fail("memory=400000")
	hello := helloFor(t, testShow("30"), media.StartClock(), false)
	hello.Device = "cuda:0"
	w.begin(hello)
	message, err := worker.Receive(w.conn)
	if _, ready := message.(*worker.Ready); ready { // it takes memory as it composes
		_, fault := w.mix(hello.Show.Canvas.Rate.Index(media.StartClock().Now())+3, 1<<20)
		require.Equal(t, worker.FaultMemory, fault.Cause, fault.Error)
		return
	}
	require.NoError(t, err)
	require.IsType(t, &worker.Fault{}, message)
	require.Equal(t, worker.FaultMemory, message.(*worker.Fault).Cause)
}

// A worker on a card gives everything back when it quits.
func TestCardIsLeftClean(t *testing.T) {
	clock, show := media.StartClock(), testShow("30")
	w := newCardWorker(t)
	hello := helloFor(t, show, clock, false)
	hello.Device = "cuda:0"
	w.start(hello)
	_, fault := w.mix(show.Canvas.Rate.Index(clock.Now())+3, 5)
	require.Nil(t, fault)
	require.NoError(t, worker.Send(w.conn, &worker.Quit{}))
	for err := error(nil); err == nil; {
		_, err = worker.Receive(w.conn)
	}
	require.NoError(t, w.process.Wait())
	close(w.log)
	for line := range w.log {
		require.NotContains(t, line, "left on the card")
	}
}

// The encoders of another device keep to the parameter sets that the init section
// lists, whichever they are, and refuse a section of others.
func TestInitSectionStays(t *testing.T) {
	device, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer device.Close()
	show := testShow("30")
	config := gpu.EncoderConfig{
		ID: show.Ladder[0].ID, Size: gpu.Size{Width: show.Ladder[0].Width, Height: show.Ladder[0].Height},
		Rate: show.Canvas.Rate, Bitrate: show.Ladder[0].Bitrate,
	}
	section := func(ids ...int) []byte {
		var tracks []*media.Track
		for _, id := range ids {
			config.ParameterSet = id
			encoder, err := device.NewEncoder(config)
			require.NoError(t, err)
			defer encoder.Close()
			tracks = append(tracks, encoder.Track())
		}
		joint, err := gpu.JoinParameterSets(tracks...)
		require.NoError(t, err)
		return joint
	}
	for _, test := range []struct {
		name  string
		ids   []int
		fault string
	}{
		{"both of ours", []int{primarySet, fallbackSet}, ""},
		{"a card's set for id 0", []int{7, fallbackSet}, ""}, // 7 stands for a set that x264 does not make as 0
		{"strangers only", []int{7, 8}, "init section"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := section(test.ids...)
			l, err := openLadder(device, Config{Show: show, GOPFrames: 48, Sets: map[string][]byte{config.ID: want}})
			if test.fault != "" {
				require.ErrorContains(t, err, test.fault)
				return
			}
			require.NoError(t, err)
			defer l.close()
			require.Equal(t, want, l.ready.Renditions[0].Track.Config)
			require.True(t, gpu.Lists(want, l.rungs[0].encoder.Track()))
		})
	}
}

// refusing is a device with an encoder of its own, which does not open, or whose
// parameter sets do not go with x264's.
type refusing struct {
	gpu.Device
	own func(gpu.EncoderConfig) (gpu.Encoder, error)
}

func (d refusing) Info() gpu.Info { return gpu.Info{Name: "cuda:0", Encoder: "h264_nvenc"} }

func (d refusing) NewEncoder(config gpu.EncoderConfig) (gpu.Encoder, error) {
	if config.ParameterSet == primarySet && !config.Software {
		return d.own(config)
	}
	return d.Device.NewEncoder(config)
}

// A card that has no encoding session left, or encodes what x264 cannot stand in
// for, leaves its rungs to x264 with the reason.
func TestRungsThatTheCardDoesNotEncode(t *testing.T) {
	cpu, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer cpu.Close()
	for name, own := range map[string]func(gpu.EncoderConfig) (gpu.Encoder, error){
		"no session": func(gpu.EncoderConfig) (gpu.Encoder, error) { return nil, errors.New("no session is left") },
		"same id": func(config gpu.EncoderConfig) (gpu.Encoder, error) {
			config.ParameterSet = fallbackSet
			return cpu.NewEncoder(config)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := openLadder(refusing{cpu, own}, Config{Show: testShow("30"), GOPFrames: 48})
			require.NoError(t, err)
			defer l.close()
			require.Equal(t, "libx264", l.ready.Encoder.Codec)
			require.Equal(t, "cuda:0", l.ready.Encoder.Device)
			require.Contains(t, l.ready.Encoder.Reason, "is encoded by libx264: ")
			again, err := openLadder(refusing{cpu, own}, Config{Show: testShow("30"), GOPFrames: 48, Sets: map[string][]byte{l.rungs[0].track.ID: l.rungs[0].track.Config}})
			require.NoError(t, err)
			defer again.close()
			require.Equal(t, l.rungs[0].track.Config, again.rungs[0].track.Config)
		})
	}
}

// A card that is slow makes pictures late, and none goes missing.
func TestCardThatIsSlow(t *testing.T) {
	clock, show := media.StartClock(), testShow("30")
	w := newCardWorker(t)
	hello := helloFor(t, show, clock, false)
	hello.Device = "cuda:0"
	w.start(hello)
	first := show.Canvas.Rate.Index(clock.Now()) + 3
	packets, fault := w.mix(first, 5)
	require.Nil(t, fault)
	w.fail("slow=20000")
	more, fault := w.receive(60)
	require.Nil(t, fault)
	for i, p := range append(packets, more...) {
		require.Equal(t, show.Canvas.Rate.At(first+int64(i)), p.PTS)
	}
}
