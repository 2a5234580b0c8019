// Package monitor reads what NVIDIA's management library (NVML) says of the cards.
// The library is loaded at run time; where it is not, the error says so. Its calls
// can hang with a broken driver: use it in a process that may be killed.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// ErrNoLibrary says that the machine has no NVML.
var ErrNoLibrary = errors.New("no NVIDIA driver")

// Sample is the cards at one moment.
type Sample struct {
	Driver string `json:"driver"` // version, "550.54.15"
	Cards  []Card `json:"cards"`
}

// Card is one card at one moment. What the card does not tell is 0.
type Card struct {
	Bus         string   `json:"bus"` // PCI address, "0000:01:00.0"
	Model       string   `json:"model"`
	MemoryTotal uint64   `json:"memoryTotal"` // bytes
	MemoryUsed  uint64   `json:"memoryUsed"`  // bytes
	Busy        float64  `json:"busy"`        // share of the time that a kernel ran, 0..1
	Encoder     float64  `json:"encoder"`     // of NVENC's
	Decoder     float64  `json:"decoder"`     // of NVDEC's
	Sessions    int      `json:"sessions"`    // of encoders, whoever's
	Capacity    float64  `json:"capacity"`    // what NVENC has left for H.264, 0..1; 0 where it has none
	Temperature int      `json:"temperature"` // degrees Celsius
	Throttled   []string `json:"throttled,omitempty"`
	Xid         uint64   `json:"xid,omitempty"` // the newest critical error; 0 is none
	Xids        int      `json:"xids"`          // how many
	Fault       string   `json:"fault,omitempty"`
}

// Monitor is the library, open.
type Monitor struct {
	library nvml.Interface
	driver  string

	mu   sync.Mutex
	xid  map[string]uint64 // newest by bus
	xids map[string]int
}

// Open initialises the library: nvml.New() gives the machine's.
func Open(library nvml.Interface) (*Monitor, error) {
	switch result := library.Init(); result {
	case nvml.SUCCESS:
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return nil, fmt.Errorf("%w: libnvidia-ml.so.1 is not installed", ErrNoLibrary)
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return nil, fmt.Errorf("%w: its kernel module is not loaded", ErrNoLibrary)
	default:
		return nil, fmt.Errorf("open NVML: %w", result)
	}
	m := &Monitor{library: library, xid: map[string]uint64{}, xids: map[string]int{}}
	if version, result := library.SystemGetDriverVersion(); result == nvml.SUCCESS {
		m.driver = version
	}
	return m, nil
}

// Close gives the library back; Run has returned.
func (m *Monitor) Close() { _ = m.library.Shutdown() }

// Run gives a sample every so often, and listens for critical errors, until the
// context ends.
func (m *Monitor) Run(ctx context.Context, every time.Duration, give func(Sample)) error {
	var listening sync.WaitGroup
	defer listening.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listening.Go(func() { m.listen(ctx) })
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		give(m.Sample())
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Sample asks every card.
func (m *Monitor) Sample() Sample {
	sample := Sample{Driver: m.driver}
	count, result := m.library.DeviceGetCount()
	if result != nvml.SUCCESS {
		return sample
	}
	for i := range count {
		device, result := m.library.DeviceGetHandleByIndex(i)
		if result != nvml.SUCCESS {
			sample.Cards = append(sample.Cards, Card{Fault: fmt.Sprintf("card %d: %v", i, result)})
			continue
		}
		sample.Cards = append(sample.Cards, m.card(device))
	}
	return sample
}

// card asks one card. A question that it does not know is left out; a card that is
// gone is a fault.
func (m *Monitor) card(device nvml.Device) Card {
	var c Card
	note := func(result nvml.Return) bool {
		if result == nvml.ERROR_GPU_IS_LOST || result == nvml.ERROR_UNKNOWN || result == nvml.ERROR_RESET_REQUIRED {
			c.Fault = result.Error()
		}
		return result == nvml.SUCCESS
	}
	c.Bus = busOf(device)
	if model, result := device.GetName(); note(result) {
		c.Model = model
	}
	if memory, result := device.GetMemoryInfo(); note(result) {
		c.MemoryTotal, c.MemoryUsed = memory.Total, memory.Used
	}
	if busy, result := device.GetUtilizationRates(); note(result) {
		c.Busy = float64(busy.Gpu) / 100
	}
	if encoder, _, result := device.GetEncoderUtilization(); note(result) {
		c.Encoder = float64(encoder) / 100
	}
	if decoder, _, result := device.GetDecoderUtilization(); note(result) {
		c.Decoder = float64(decoder) / 100
	}
	if sessions, _, _, result := device.GetEncoderStats(); note(result) {
		c.Sessions = sessions
	}
	if capacity, result := device.GetEncoderCapacity(nvml.ENCODER_QUERY_H264); note(result) {
		c.Capacity = float64(capacity) / 100
	}
	if degrees, result := device.GetTemperature(nvml.TEMPERATURE_GPU); note(result) {
		c.Temperature = int(degrees)
	}
	if reasons, result := device.GetCurrentClocksThrottleReasons(); note(result) {
		c.Throttled = throttled(reasons)
	}
	m.mu.Lock()
	c.Xid, c.Xids = m.xid[c.Bus], m.xids[c.Bus]
	m.mu.Unlock()
	return c
}

// busOf is the card's PCI address as CUDA writes it.
func busOf(device nvml.Device) string {
	pci, result := device.GetPciInfo()
	if result != nvml.SUCCESS {
		return ""
	}
	return fmt.Sprintf("%04x:%02x:%02x.0", pci.Domain, pci.Bus, pci.Device)
}

// throttled names why a card runs slower than it could, but for being idle or told
// to.
func throttled(reasons uint64) (words []string) {
	for _, reason := range []struct {
		bit  uint64
		word string
	}{
		{nvml.ClocksEventReasonSwPowerCap, "power cap"},
		{nvml.ClocksThrottleReasonHwSlowdown, "hardware slowdown"},
		{nvml.ClocksEventReasonSwThermalSlowdown, "heat"},
		{nvml.ClocksThrottleReasonHwThermalSlowdown, "heat, by hardware"},
		{nvml.ClocksThrottleReasonHwPowerBrakeSlowdown, "power brake"},
	} {
		if reasons&reason.bit != 0 {
			words = append(words, reason.word)
		}
	}
	return words
}

// eventWait is how long one wait for critical errors takes, ms.
const eventWait = 500

// listen counts critical errors until the context ends. A card that does not tell of
// them is left out.
func (m *Monitor) listen(ctx context.Context) {
	set, result := m.library.EventSetCreate()
	if result != nvml.SUCCESS {
		return
	}
	defer set.Free()
	count, result := m.library.DeviceGetCount()
	if result != nvml.SUCCESS {
		return
	}
	for i := range count {
		if device, result := m.library.DeviceGetHandleByIndex(i); result == nvml.SUCCESS {
			_ = device.RegisterEvents(nvml.EventTypeXidCriticalError, set)
		}
	}
	for ctx.Err() == nil {
		event, result := set.Wait(eventWait)
		switch {
		case result == nvml.ERROR_TIMEOUT:
		case result != nvml.SUCCESS:
			return
		case event.EventType == nvml.EventTypeXidCriticalError:
			m.mu.Lock()
			bus := busOf(event.Device)
			m.xid[bus], m.xids[bus] = event.EventData, m.xids[bus]+1
			m.mu.Unlock()
		}
	}
}

// Fatal says in words what a critical error means for whoever uses the card, by its
// number in NVIDIA's list of Xid errors; empty when work goes on.
func Fatal(xid uint64) string {
	switch xid {
	case 46:
		return "the card stopped processing (Xid 46); drain and reset it"
	case 48, 95:
		return fmt.Sprintf("the card's memory has an error that was not corrected (Xid %d); drain and reset it", xid)
	case 62, 74, 119, 120:
		return fmt.Sprintf("the card has a fault inside (Xid %d); drain and reset it", xid)
	case 79:
		return "the card has fallen off the bus (Xid 79); the machine must be restarted"
	}
	return ""
}

// String is a card in one line.
func (c Card) String() string {
	line := fmt.Sprintf("%s %s: %d of %d MiB, busy %.0f %%, NVENC %.0f %% in %d sessions, NVDEC %.0f %%, %d °C",
		c.Bus, c.Model, c.MemoryUsed>>20, c.MemoryTotal>>20, 100*c.Busy, 100*c.Encoder, c.Sessions, 100*c.Decoder, c.Temperature)
	if len(c.Throttled) > 0 {
		line += ", slowed by " + strings.Join(c.Throttled, " and ")
	}
	return line
}
