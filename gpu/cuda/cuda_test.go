package cuda_test

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu/cuda"
	"millrace/gpu/cudaemu"
	"millrace/gpu/kernels"
)

var library string

// TestMain builds the driver emulation, test equipment, once.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "cuda")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if library, err = cudaemu.Build(dir); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// load opens the emulation with these faults.
func load(t *testing.T, faults string) (*cuda.Driver, error) {
	t.Helper()
	t.Setenv(cudaemu.Faults, faults)
	return cuda.Load(library)
}

// open gives the first emulated card and sees that all comes back.
func open(t *testing.T, faults string) *cuda.Device {
	t.Helper()
	driver, err := load(t, faults)
	require.NoError(t, err)
	device, err := driver.Open(0)
	require.NoError(t, err)
	t.Cleanup(func() {
		device.Close()
		require.Zero(t, driver.Live(), "left on the card")
	})
	return device
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, test := range []struct{ name, faults, want string }{
		{"no card", "devices=0", "no CUDA driver: the driver is there, but no card that it can use"},
		{"old driver", "version=10020", "no CUDA driver: driver too old: it knows CUDA 10.2, 11.4 is needed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.faults)
			require.EqualError(t, err, test.want)
			require.ErrorIs(t, err, cuda.ErrNoDriver)
		})
	}
	_, err := cuda.Load("no-such-library.so")
	require.ErrorIs(t, err, cuda.ErrNoDriver)
	_, err = cuda.Load("libc.so.6")
	require.EqualError(t, err, "no CUDA driver: driver too old: it has no cuInit")

	driver, err := load(t, "capability=70")
	require.NoError(t, err)
	require.Equal(t, "12.4", driver.Version())
	_, err = driver.Open(0)
	require.ErrorContains(t, err, "has compute capability 7.0, below 7.5")
	_, err = driver.Open(3)
	require.EqualError(t, err, "there are 1 CUDA devices, none with number 3")
}

func TestCopiesKeepTheirOrder(t *testing.T) {
	device := open(t, "slow=300")
	const size = 100_000
	in, err := device.AllocHost(size)
	require.NoError(t, err)
	defer in.Free()
	out, err := device.AllocHost(size)
	require.NoError(t, err)
	defer out.Free()
	var cards [2]*cuda.Memory
	var streams [2]*cuda.Stream
	for i := range cards {
		cards[i], err = device.Alloc(size)
		require.NoError(t, err)
		defer cards[i].Free()
		streams[i], err = device.NewStream()
		require.NoError(t, err)
		defer streams[i].Close()
	}
	uploaded, err := device.NewEvent(true)
	require.NoError(t, err)
	defer uploaded.Close()
	done, err := device.NewEvent(true)
	require.NoError(t, err)
	defer done.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range in.Bytes() {
		in.Bytes()[i] = byte(rnd.Uint32())
	}
	require.NoError(t, uploaded.Wait(0), "what was never recorded has passed")
	require.NoError(t, streams[0].Upload(cards[0].Address, in, size))
	require.NoError(t, streams[0].Record(uploaded))
	require.NoError(t, streams[1].Wait(uploaded))
	require.NoError(t, streams[1].Copy(cards[1].Address, cards[0].Address, size))
	require.NoError(t, streams[1].Download(out, cards[1].Address, size))
	require.NoError(t, streams[1].Record(done))
	require.NoError(t, done.Wait(time.Minute))
	require.Equal(t, in.Bytes(), out.Bytes())
	took, err := done.Since(uploaded)
	require.NoError(t, err)
	require.Positive(t, took)
	require.Error(t, streams[0].Upload(cards[0].Address, in, size+1), "beyond the memory")
}

func TestFailuresAreTold(t *testing.T) {
	launch := func(t *testing.T, device *cuda.Device, patience time.Duration) error {
		module, err := device.LoadModule(kernels.PTX)
		require.NoError(t, err)
		defer module.Close()
		function, err := module.Function(kernels.Function)
		require.NoError(t, err)
		stream, err := device.NewStream()
		require.NoError(t, err)
		defer stream.Close()
		memory, err := device.Alloc(4096)
		require.NoError(t, err)
		defer memory.Free()
		host, err := device.AllocHost(4096)
		require.NoError(t, err)
		defer host.Free()
		clear(host.Bytes()) // a show without tiles
		done, err := device.NewEvent(false)
		require.NoError(t, err)
		defer done.Close()
		if err := stream.Submit(function, cuda.Grid{Across: 1, Down: 1, Threads: kernels.Threads}, memory, host, 4096, done); err != nil {
			return err
		}
		return done.Wait(patience)
	}
	for _, test := range []struct {
		faults string
		want   error
		text   string
	}{
		{"", nil, ""},
		{"launch=1", cuda.ErrLost, "submit a tick: unspecified launch failure (CUDA error 719)"},
		{"lost=1", cuda.ErrLost, "submit a tick: unspecified launch failure (CUDA error 719)"},
		{"hang=1", cuda.ErrHang, "wait for the card: the card does not answer (CUDA error -1)"},
	} {
		t.Run(test.faults, func(t *testing.T) {
			patience := time.Minute
			if test.want == cuda.ErrHang {
				patience = 50 * time.Millisecond // for what never comes
			}
			err := launch(t, open(t, test.faults), patience)
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
			require.EqualError(t, err, test.text)
		})
	}
	device := open(t, "memory=5000")
	memory, err := device.Alloc(4000)
	require.NoError(t, err)
	defer memory.Free()
	_, err = device.Alloc(4000)
	require.ErrorIs(t, err, cuda.ErrMemory)
	require.NotErrorIs(t, err, cuda.ErrLost)
	_, err = device.LoadModule("no code")
	require.ErrorContains(t, err, "load kernels: device kernel image is invalid")
	module, err := device.LoadModule(kernels.PTX)
	require.NoError(t, err)
	defer module.Close()
	_, err = module.Function("other")
	require.Error(t, err)
}
