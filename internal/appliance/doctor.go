package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"millrace/internal/appliance/config"
	"millrace/internal/child/sandbox"
	"millrace/internal/state"
)

// Check is one finding of Examine.
type Check struct {
	Name   string `json:"name"`
	Result string `json:"result"` // ok, warn or fail
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // what to do
}

// String is the check as a line of text.
func (c Check) String() string {
	mark := map[string]string{"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}[c.Result]
	line := fmt.Sprintf("%s  %-10s %s", mark, c.Name, c.Detail)
	if c.Hint != "" {
		line += "\n                 -> " + c.Hint
	}
	return line
}

// Healthy holds when no check failed.
func Healthy(checks []Check) bool {
	for _, check := range checks {
		if check.Result == "fail" {
			return false
		}
	}
	return true
}

// Examine checks the machine for what a node with this configuration needs. It
// changes nothing and works beside a running node.
func Examine(ctx context.Context, cfg config.Config) []Check {
	checks := append([]Check{checkCores()}, checkDevices(ctx, cfg.GPU)...)
	checks = append(checks, checkSystem()...)
	running := nodeRuns(ctx, cfg)
	checks = append(checks, checkData(cfg, running))
	checks = append(checks, checkVolumes(cfg)...)
	return append(checks, checkPorts(cfg, running))
}

// ExamineSandbox confines this process as a worker is and says which layers
// hold. Afterwards the process can do little but print and exit.
func ExamineSandbox() []Check {
	layers, err := sandbox.Apply(sandbox.Policy{})
	if err != nil {
		return []Check{{Name: "sandbox", Result: "fail", Detail: err.Error()}}
	}
	var checks []Check
	for _, layer := range layers {
		check := Check{Name: "sandbox", Result: "ok", Detail: layer.Name + ": " + layer.Reason}
		if !layer.Active {
			check.Result, check.Detail = "warn", layer.Name+" does not hold: "+layer.Reason
		}
		checks = append(checks, check)
	}
	return checks
}

func checkCores() Check {
	check := Check{Name: "cpu", Result: "ok", Detail: fmt.Sprintf("%d cores", runtime.NumCPU())}
	if runtime.NumCPU() < 2 {
		check.Result, check.Hint = "warn", "the demo channel needs two cores; make smaller ladders"
	}
	return check
}

// checkDevices says where channels would be mixed and encoded, and why not on what
// else there is.
func checkDevices(ctx context.Context, cfg config.GPU) []Check {
	d, err := openDevices(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return []Check{{Name: "gpu", Result: "fail", Detail: err.Error()}}
	}
	var checks []Check
	for _, card := range d.survey.Cards {
		check := Check{Name: "gpu", Result: "ok", Detail: card.Name + " " + card.Model + " composes"}
		if why := d.unusable(card); why != "" {
			check.Result, check.Detail = "warn", card.Name+" "+card.Model+" is not used: "+why
		}
		if d.survey.Emulated {
			check.Result, check.Hint = "warn", "unset "+testDriver+": this card is TEST EQUIPMENT, an emulation"
		}
		for _, ability := range append(card.Encoders, card.Decoders...) {
			if ability.Usable {
				check.Detail += ", " + ability.Codec
			} else {
				check.Detail += ", no " + ability.Codec + " (" + ability.Reason + ")"
			}
		}
		checks = append(checks, check)
	}
	if len(checks) == 0 {
		checks = append(checks, Check{Name: "gpu", Result: "ok", Detail: "mixes and encodes on cpu with libx264: " + d.whyNone()})
	}
	return checks
}

// nodeRuns sees whether a node owns the data directory now.
func nodeRuns(ctx context.Context, cfg config.Config) bool {
	dir := filepath.Join(cfg.Node.DataDir, "state")
	if _, err := os.Stat(dir); err != nil {
		return false
	}
	return errors.Is(state.Locked(dir), state.ErrLocked)
}

func checkData(cfg config.Config, running bool) Check {
	check := Check{Name: "data", Result: "ok", Detail: cfg.Node.DataDir + " can be written"}
	if running {
		check.Detail = cfg.Node.DataDir + " is in use by a running node"
		return check
	}
	made := missing(append(slices.Clone(cfg.Storage.Volumes), cfg.Node.DataDir)...)
	broken, err := prepareDirectories(cfg)
	switch {
	case err != nil:
		check.Result, check.Detail = "fail", err.Error()
	case len(broken) > 0:
		check.Result, check.Detail = "warn", errors.Join(broken...).Error()
		check.Hint = "what that volume holds is missing, and nothing is written there; the other volumes do its work"
	}
	for _, dir := range made {
		_ = os.Remove(dir) // it was made to try; one that is not empty stays
	}
	return check
}

// missing are those of the directories, and of the ones above them, that do not
// exist, the deepest first.
func missing(dirs ...string) []string {
	var list []string
	for _, dir := range dirs {
		for ; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
				break
			}
			list = append(list, dir)
		}
	}
	return list
}

func checkPorts(cfg config.Config, running bool) Check {
	check := Check{Name: "ports", Result: "ok"}
	bound, err := bind(cfg)
	switch {
	case err == nil:
		bound.close()
		check.Detail = "all can be opened"
	case running:
		check.Detail = "in use by the running node"
	default:
		check.Result, check.Detail = "fail", err.Error()
	}
	return check
}
