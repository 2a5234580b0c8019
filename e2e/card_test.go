package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu/cudaemu"
	"millrace/internal/machinetest"
)

// onEmulatedCards gives a node emulated cards, which are test equipment, and the
// file that tells them how to fail.
func onEmulatedCards(t *testing.T) (environment []string, fail func(faults string)) {
	t.Helper()
	library, err := cudaemu.Build(t.TempDir())
	require.NoError(t, err)
	control := filepath.Join(t.TempDir(), "control")
	fail = func(faults string) { require.NoError(t, os.WriteFile(control, []byte("devices=2,"+faults), 0o600)) }
	fail("")
	return []string{"MILLRACE_CUDA_LIBRARY=" + library, cudaemu.Faults + "=control=" + control}, fail
}

// TestFourCamerasAreMixedOnACard is the same on an emulated card.
func TestFourCamerasAreMixedOnACard(t *testing.T) {
	t.Parallel()
	machinetest.InTime(t, standstill, func(t *testing.T) func(*testing.T) {
		environment, _ := onEmulatedCards(t)
		return mixOn(t, "cuda:0", environment...)
	})
}

// TestTheProgramOutlivesItsCards fails one card after the other while a viewer
// watches: the channel goes on on the next, then on the CPU.
func TestTheProgramOutlivesItsCards(t *testing.T) {
	t.Parallel()
	machinetest.InTime(t, standstill, outliveCards)
}

func outliveCards(t *testing.T) (check func(*testing.T)) {
	environment, fail := onEmulatedCards(t)
	a := startAppliance(t, environment...)
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "test1", "kind": "test"})
	a.makeChannel([]string{"test1"}, v180)
	require.Equal(t, "cuda:0", a.encoder()["device"])
	video := a.record("main", "v180")
	video.waitFor(0)

	begun := time.Now()
	fail("on=0,lost=1")
	a.encodesOn("cuda:1")
	require.Contains(t, a.encoder()["reason"], "cuda:1 has no NVENC that can be used")
	fail("on=1,wedge=1")
	a.encodesOn("cpu")
	took := time.Since(begun)
	require.Contains(t, a.encoder()["reason"], `cuda:0: it failed channel "main"`)
	require.Contains(t, a.encoder()["reason"], "(silent)")
	end := a.state().Frame + rate.Num
	state := a.state()
	video.waitFor(end / segmentFrames)
	video.stop() // which holds it to one init section and no gap

	for _, device := range a.call(200, "GET", "/v1/system/capabilities", nil)["devices"].([]any)[1:] {
		device := device.(map[string]any)
		require.Equal(t, true, device["testEquipment"])
		require.Equal(t, false, device["usable"])
		require.NotEmpty(t, device["reason"])
	}
	a.eventually(10*time.Second, "there is an alarm for each card, and one for the channel", func() bool {
		alarms := map[any]int{}
		for _, alarm := range a.call(200, "GET", "/v1/alarms", nil)["items"].([]any) {
			alarms[alarm.(map[string]any)["code"]]++
		}
		return alarms["device.down"] == 2 && alarms["encoder.fallback"] == 1
	})
	require.NotContains(t, a.log.String(), "left on the card")
	return func(t *testing.T) {
		require.EqualValues(t, 2, state.Workers.Restarts)
		require.Less(t, took, 2*2*3200*time.Millisecond, "two segments for each card")
		film := video.film(v180)
		require.GreaterOrEqual(t, film.end(), end)
	}
}

// encoder is what /state says of it.
func (a *appliance) encoder() map[string]any {
	a.t.Helper()
	return a.call(200, "GET", "/v1/channels/main/state", nil)["encoder"].(map[string]any)
}

// encodesOn waits until the channel runs on that device.
func (a *appliance) encodesOn(device string) {
	a.t.Helper()
	a.eventually(30*time.Second, "the channel is on "+device, func() bool { return a.encoder()["device"] == device && a.state().State == "running" })
}

// A node that must have a card does not start without one, and says why.
func TestACardThatIsRequired(t *testing.T) {
	t.Parallel()
	a := newAppliance(t)
	command := exec.Command(millrace(t), "serve", "--no-demo", "--config", a.config())
	command.Env = append(os.Environ(), "MILLRACE_GPU__POLICY=require", "MILLRACE_CUDA_LIBRARY=libnothing.so")
	out, err := command.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, command.ProcessState.ExitCode())
	require.Contains(t, string(out), "gpu.policy is require, and no card can be used: no CUDA driver: libnothing.so")
}
