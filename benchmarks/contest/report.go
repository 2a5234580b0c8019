package contest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is a finished benchmark: what the README quotes.
type Report struct {
	Benchmark string             `json:"benchmark"`
	Time      time.Time          `json:"time"`
	Commit    string             `json:"commit"` // with "-dirty" when the tree had changes
	Machine   Machine            `json:"machine"`
	Versions  map[string]string  `json:"versions"`
	Work      string             `json:"work"`
	Unit      string             `json:"unit"` // of the sides' costs
	Sides     []Measured         `json:"sides"`
	Quality   map[string]Quality `json:"quality,omitempty"` // by side
	Figures   map[string]float64 `json:"figures,omitempty"` // whatever else was measured, by name
}

// Quality is a side's output against the reference, dB by rung.
type Quality map[string]PSNR

// PSNR of luma and of the worse chroma plane, dB; 100 when equal.
type PSNR struct {
	Luma   float64 `json:"luma"`
	Chroma float64 `json:"chroma"`
}

// Machine is where a benchmark ran.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
}

// Here describes this machine.
func Here() Machine {
	return Machine{CPU: cpuModel(), Cores: runtime.NumCPU(), Kernel: firstLine("/proc/sys/kernel/osrelease")}
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// Commit is what the working tree holds: "0fe4e96", "0fe4e96-dirty".
func Commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// Version is the first line that a program prints about itself.
func Version(ctx context.Context, name string, arguments ...string) string {
	out, err := exec.CommandContext(ctx, name, arguments...).Output()
	if err != nil {
		return "none"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// Write saves the report as NAME.json in a folder.
func (r Report) Write(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	path := filepath.Join(folder, r.Benchmark+".json")
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Print shows the report to a person.
func (r Report) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n%s, %d cores, commit %s\n\n", r.Benchmark, r.Work, r.Machine.CPU, r.Machine.Cores, r.Commit)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "side\tmedian %s\tlow\thigh\tof ours\tworst PSNR, luma / chroma\n", r.Unit)
	for _, side := range r.Sides {
		quality := "-"
		if q, ok := r.Quality[side.Name]; ok {
			worst := q.worst()
			quality = fmt.Sprintf("%.1f / %.1f dB", worst.Luma, worst.Chroma)
		}
		fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%.3f\t%.2fx\t%s\n", side.Name, side.Median, side.Low, side.High, side.Ratio, quality)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		fmt.Fprintf(table, "%s\t%.1f\n", name, r.Figures[name])
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return nil
}

func (q Quality) worst() PSNR {
	worst := PSNR{100, 100}
	for _, rung := range q {
		worst.Luma, worst.Chroma = min(worst.Luma, rung.Luma), min(worst.Chroma, rung.Chroma)
	}
	return worst
}
