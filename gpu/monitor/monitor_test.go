package monitor

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeCard answers as a card does; lost is one off the bus.
func fakeCard(bus uint32, lost *bool) *mock.Device {
	answer := func() nvml.Return {
		if *lost {
			return nvml.ERROR_GPU_IS_LOST
		}
		return nvml.SUCCESS
	}
	return &mock.Device{
		GetNameFunc:                         func() (string, nvml.Return) { return "L4", answer() },
		GetPciInfoFunc:                      func() (nvml.PciInfo, nvml.Return) { return nvml.PciInfo{Bus: bus}, nvml.SUCCESS },
		GetMemoryInfoFunc:                   func() (nvml.Memory, nvml.Return) { return nvml.Memory{Total: 24 << 30, Used: 5 << 30}, answer() },
		GetUtilizationRatesFunc:             func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 40}, answer() },
		GetEncoderUtilizationFunc:           func() (uint32, uint32, nvml.Return) { return 70, 0, answer() },
		GetDecoderUtilizationFunc:           func() (uint32, uint32, nvml.Return) { return 0, 0, nvml.ERROR_NOT_SUPPORTED },
		GetEncoderStatsFunc:                 func() (int, uint32, uint32, nvml.Return) { return 3, 30, 900, answer() },
		GetEncoderCapacityFunc:              func(nvml.EncoderType) (int, nvml.Return) { return 55, answer() },
		GetTemperatureFunc:                  func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 71, answer() },
		GetCurrentClocksThrottleReasonsFunc: func() (uint64, nvml.Return) { return 1 | 4 | 32, answer() },
		RegisterEventsFunc:                  func(uint64, nvml.EventSet) nvml.Return { return nvml.SUCCESS },
	}
}

// fakeLibrary has two cards and a queue of events.
func fakeLibrary(cards []*mock.Device, events chan nvml.EventData) *mock.Interface {
	return &mock.Interface{
		InitFunc:                   func() nvml.Return { return nvml.SUCCESS },
		ShutdownFunc:               func() nvml.Return { return nvml.SUCCESS },
		SystemGetDriverVersionFunc: func() (string, nvml.Return) { return "550.54.15", nvml.SUCCESS },
		DeviceGetCountFunc:         func() (int, nvml.Return) { return len(cards), nvml.SUCCESS },
		DeviceGetHandleByIndexFunc: func(i int) (nvml.Device, nvml.Return) { return cards[i], nvml.SUCCESS },
		EventSetCreateFunc: func() (nvml.EventSet, nvml.Return) {
			return &mock.EventSet{
				FreeFunc: func() nvml.Return { return nvml.SUCCESS },
				WaitFunc: func(ms uint32) (nvml.EventData, nvml.Return) {
					select {
					case event := <-events:
						return event, nvml.SUCCESS
					case <-time.After(time.Millisecond):
						return nvml.EventData{}, nvml.ERROR_TIMEOUT
					}
				},
			}, nvml.SUCCESS
		},
	}
}

func TestSample(t *testing.T) {
	var fine, lost bool
	cards := []*mock.Device{fakeCard(1, &fine), fakeCard(0x41, &lost)}
	m, err := Open(fakeLibrary(cards, nil))
	require.NoError(t, err)
	defer m.Close()
	sample := m.Sample()
	require.Equal(t, "550.54.15", sample.Driver)
	require.Equal(t, Card{
		Bus: "0000:01:00.0", Model: "L4", MemoryTotal: 24 << 30, MemoryUsed: 5 << 30, Busy: 0.4, Encoder: 0.7, Sessions: 3,
		Capacity: 0.55, Temperature: 71, Throttled: []string{"power cap", "heat"},
	}, sample.Cards[0])
	require.Equal(t, "0000:41:00.0", sample.Cards[1].Bus)
	require.Equal(t, "0000:01:00.0 L4: 5120 of 24576 MiB, busy 40 %, NVENC 70 % in 3 sessions, NVDEC 0 %, 71 °C, slowed by power cap and heat",
		sample.Cards[0].String())
	lost = true
	sample = m.Sample()
	require.Empty(t, sample.Cards[0].Fault)
	require.NotEmpty(t, sample.Cards[1].Fault)
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, test := range []struct {
		result nvml.Return
		want   string
	}{
		{nvml.ERROR_LIBRARY_NOT_FOUND, "no NVIDIA driver: libnvidia-ml.so.1 is not installed"},
		{nvml.ERROR_DRIVER_NOT_LOADED, "no NVIDIA driver: its kernel module is not loaded"},
	} {
		_, err := Open(&mock.Interface{InitFunc: func() nvml.Return { return test.result }})
		require.EqualError(t, err, test.want)
		require.ErrorIs(t, err, ErrNoLibrary)
	}
}

// This machine's own library, or the sentence that there is none.
func TestThisMachine(t *testing.T) {
	m, err := Open(nvml.New())
	if err != nil {
		require.ErrorIs(t, err, ErrNoLibrary)
		return
	}
	defer m.Close()
	for _, card := range m.Sample().Cards {
		t.Log(card)
	}
}

func TestCriticalErrors(t *testing.T) {
	var fine bool
	cards := []*mock.Device{fakeCard(1, &fine), fakeCard(2, &fine)}
	events := make(chan nvml.EventData, 3)
	m, err := Open(fakeLibrary(cards, events))
	require.NoError(t, err)
	defer m.Close()
	events <- nvml.EventData{Device: cards[1], EventType: nvml.EventTypeXidCriticalError, EventData: 31}
	events <- nvml.EventData{Device: cards[1], EventType: nvml.EventTypeXidCriticalError, EventData: 79}
	ctx, stop := context.WithCancel(t.Context())
	var once sync.Once
	require.NoError(t, m.Run(ctx, time.Millisecond, func(s Sample) {
		if s.Cards[1].Xids == 2 {
			once.Do(func() {
				require.EqualValues(t, 79, s.Cards[1].Xid)
				require.Zero(t, s.Cards[0].Xids)
				stop()
			})
		}
	}))
	require.Contains(t, Fatal(79), "fallen off the bus")
	require.Empty(t, Fatal(31), "a fault of the program")
}
