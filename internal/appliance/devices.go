package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"millrace/gpu"
	"millrace/gpu/monitor"
	"millrace/gpu/plan"
	"millrace/internal/appliance/cards"
	"millrace/internal/appliance/config"
	"millrace/internal/child"
	"millrace/mixer/worker"
)

// Environment of tests only: the library that stands in for NVIDIA's driver, and
// how it shall fail. Whatever runs on it is shown as test equipment.
const (
	testDriver = "MILLRACE_CUDA_LIBRARY"
	testFaults = "MILLRACE_CUDA_EMULATION"
)

// rest is how long a card that failed a worker gets no new one.
const rest = 10 * time.Minute

// devices says where channels are mixed and encoded: what the configuration allows,
// what the machine has, and what has failed since.
type devices struct {
	config  config.GPU
	driver  string // of tests; empty is NVIDIA's
	survey  gpu.Survey
	account *plan.Account
	log     *slog.Logger
	now     func() time.Time

	sampled atomic.Pointer[monitor.Sample]

	mu      sync.Mutex
	resting map[string]time.Time // cards that failed, until when
	why     map[string]string    // by channel: why it is not on a card
	warned  map[string]string    // by card: what was logged of it last
}

// openDevices looks at the machine. Where a card is required and there is none, the
// error says why.
func openDevices(ctx context.Context, cfg config.GPU, log *slog.Logger) (*devices, error) {
	d := &devices{
		config: cfg, driver: os.Getenv(testDriver), log: log, now: time.Now,
		resting: map[string]time.Time{}, why: map[string]string{}, warned: map[string]string{},
	}
	return d, d.take(d.look(ctx))
}

// take begins with what a survey found.
func (d *devices) take(survey gpu.Survey) error {
	d.survey = survey
	var usable []plan.Card
	for _, card := range d.survey.Cards {
		if d.unusable(card) == "" {
			usable = append(usable, capacity(card))
		}
	}
	if d.config.Policy == "require" && len(usable) == 0 {
		return fmt.Errorf("gpu.policy is require, and no card can be used: %s; repair that, or set it to prefer", d.whyNone())
	}
	d.account = plan.NewAccount(plan.Fleet{Cards: usable, Sessions: geforceSessions, CPU: processor(), Spill: d.config.Policy != "require"})
	if d.survey.Emulated && len(usable) > 0 {
		d.log.Warn("channels are mixed on TEST EQUIPMENT: "+testDriver+" names an emulation of the CUDA driver, which is slow and proves nothing about cards",
			"library", d.driver)
	}
	return nil
}

// look surveys the cards in a process of its own, unless nothing points at one.
func (d *devices) look(ctx context.Context) gpu.Survey {
	switch {
	case d.config.Policy == "never":
		return gpu.Survey{Fault: "gpu.policy is never"}
	case d.driver == "" && !driverNodes():
		return gpu.Survey{Fault: "no CUDA device: no NVIDIA driver is loaded (/dev/nvidiactl is not there)"}
	}
	survey := cards.Examine(ctx, d.process("card", nil))
	if survey.Emulated && d.driver == "" {
		return gpu.Survey{Fault: "no CUDA device: the driver is an emulation, test equipment"}
	}
	return survey
}

// driverNodes says whether the kernel has a driver for cards: NVIDIA's, or that of
// Windows below this Linux.
func driverNodes() bool {
	for _, node := range []string{"/dev/nvidiactl", "/dev/dxg"} {
		if _, err := os.Stat(node); err == nil {
			return true
		}
	}
	return false
}

// process is the command of a process that touches cards.
func (d *devices) process(name string, stderr func(string), flags ...string) child.Command {
	command := child.Command{Args: append([]string{name}, flags...), Stderr: stderr, Env: d.environment()}
	if d.driver != "" {
		command.Args = append(command.Args, "--driver", d.driver)
	}
	if command.Stderr == nil {
		command.Stderr = func(line string) { d.log.Info(line, "process", name) }
	}
	return command
}

// environment is what a process on a card inherits: nothing but the orders of tests.
func (d *devices) environment() []string {
	if faults := os.Getenv(testFaults); d.driver != "" && faults != "" {
		return []string{testFaults + "=" + faults}
	}
	return nil
}

// unusable says why a card carries no channels; empty when it does.
func (d *devices) unusable(card gpu.Card) string {
	if len(d.config.Devices) > 0 && !slices.Contains(d.config.Devices, card.Name) {
		return "gpu.devices does not list it"
	}
	return card.Fault
}

// whyNone is why no card carries channels.
func (d *devices) whyNone() string {
	var reasons []string
	for _, card := range d.survey.Cards {
		reasons = append(reasons, card.Name+": "+d.unusable(card))
	}
	for _, name := range d.config.Devices {
		if !slices.ContainsFunc(d.survey.Cards, func(c gpu.Card) bool { return c.Name == name }) {
			reasons = append(reasons, "gpu.devices lists "+name+", which is not there")
		}
	}
	if d.survey.Fault != "" {
		reasons = append([]string{d.survey.Fault}, reasons...)
	}
	return strings.Join(reasons, "; ")
}

// ask says why a channel cannot be carried; nil when it can.
func (d *devices) ask(show worker.Show) error {
	_, err := d.account.Ask(demandOf(show))
	return err
}

// admit writes a channel down, or refuses it with the reason.
func (d *devices) admit(show worker.Show) error {
	d.wake()
	placement, err := d.account.Admit(demandOf(show))
	if err != nil {
		return err
	}
	d.explain(show.Channel, placement)
	return nil
}

// release gives back what a channel has.
func (d *devices) release(channel string) {
	d.account.Release(channel)
	d.mu.Lock()
	delete(d.why, channel)
	d.mu.Unlock()
}

// place is where the next worker of a channel works. It always is somewhere: what is
// on air goes on, on the CPU at least.
func (d *devices) place(show worker.Show) worker.Place {
	d.wake()
	demand := demandOf(show)
	placement, err := d.account.Admit(demand)
	if rest := demand.Everywhere(); errors.Is(err, plan.ErrRefused) && len(rest.Rungs) < len(demand.Rungs) {
		// What only cards encode is withdrawn by the worker; the rest finds its place.
		placement, err = d.account.Admit(rest)
	}
	if errors.Is(err, plan.ErrRefused) {
		d.account.Release(show.Channel)
		placement = plan.Placement{Place: worker.CPU, Reason: err.Error()}
	}
	d.explain(show.Channel, placement)
	return worker.Place{Device: placement.Place, Driver: d.driver}
}

func (d *devices) explain(channel string, placement plan.Placement) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.why[channel] = placement.Reason; placement.Place == worker.CPU && placement.Reason == "" {
		d.why[channel] = d.whyNone()
	}
}

// reason is why a channel is not all on a card; empty when it is.
func (d *devices) reason(channel string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if why, known := d.why[channel]; known {
		return why
	}
	return d.whyNone()
}

// failed takes a card out of use for a while, for everyone who begins.
func (d *devices) failed(channel string, fault worker.Fault) {
	at := d.now()
	d.account.Down(fault.Device, fmt.Sprintf("it failed channel %q at %s (%s): %s", channel, at.UTC().Format(time.TimeOnly), fault.Cause, fault.Error))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.resting[fault.Device] = at.Add(rest)
}

// watch is the process that samples the cards.
func (d *devices) watch() *cards.Watch {
	return &cards.Watch{Command: d.process("card", nil, "--watch"), Sampled: d.sample, Log: d.log}
}

// wake puts cards back that have rested.
func (d *devices) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for card, until := range d.resting {
		if d.now().After(until) && d.warned[card] == "" {
			delete(d.resting, card)
			d.account.Down(card, "")
			d.log.Info("a card that failed is tried again by the next worker that starts", "device", card)
		}
	}
}
