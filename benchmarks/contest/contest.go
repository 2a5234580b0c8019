// Package contest runs the sides of a benchmark in turn on one machine and says
// what each of them cost.
package contest

import (
	"context"
	"fmt"
	"slices"
)

// Side is one program under test.
type Side struct {
	Name   string // "millrace", "ffmpeg bicubic"
	Detail string // what it runs and with which filters, for the reader
	// Run does the work once and gives its cost in the contest's unit.
	Run func(context.Context) (float64, error)
}

// Config says how often a contest runs.
type Config struct {
	Warmups int // rounds that are not counted
	Rounds  int // in each of which every side runs once, in order: A B A B …
	Log     func(format string, args ...any)
}

// Measured is what one side cost.
type Measured struct {
	Name    string    `json:"name"`
	Detail  string    `json:"detail"`
	Samples []float64 `json:"samples"` // one a round, in order
	Median  float64   `json:"median"`
	Low     float64   `json:"low"`
	High    float64   `json:"high"`
	// Ratio is the median over the rounds of this side's cost over the first
	// side's: how many times as dear it is.
	Ratio float64 `json:"ratio"`
}

// Run measures the sides; the first one is ours.
func Run(ctx context.Context, config Config, sides []Side) ([]Measured, error) {
	measured := make([]Measured, len(sides))
	for i, side := range sides {
		measured[i] = Measured{Name: side.Name, Detail: side.Detail}
	}
	for round := range config.Warmups + config.Rounds {
		for i, side := range sides {
			cost, err := side.Run(ctx)
			if err != nil {
				return nil, fmt.Errorf("run %s: %w", side.Name, err)
			}
			if round < config.Warmups {
				continue
			}
			config.Log("round %d: %s %.3f", round-config.Warmups+1, side.Name, cost)
			measured[i].Samples = append(measured[i].Samples, cost)
		}
	}
	for i := range measured {
		measured[i].summarize(measured[0].Samples)
	}
	return measured, nil
}

func (m *Measured) summarize(ours []float64) {
	ratios := make([]float64, len(m.Samples))
	for i, cost := range m.Samples {
		ratios[i] = cost / ours[i]
	}
	m.Median, m.Ratio = Median(m.Samples), Median(ratios)
	m.Low, m.High = slices.Min(m.Samples), slices.Max(m.Samples)
}

// Median is the middle value, the mean of the two middle ones of an even number.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
