package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// report is the table, printed row by row, and the same for programs.
type report struct {
	out io.Writer

	Device   string `json:"device"`
	Driver   string `json:"driver"`
	Emulated bool   `json:"emulated"` // the driver is the emulation for tests: no figure is there
	Rows     []row  `json:"rows"`
}

type row struct {
	Name   string             `json:"name"`
	Result string             `json:"result"`
	Values map[string]float64 `json:"values,omitempty"` // the unit ends the name
}

// say adds a row of words.
func (r *report) say(name, format string, values ...any) {
	r.add(row{Name: name, Result: fmt.Sprintf(format, values...)})
}

// measured adds a row of figures: none on the emulation, whose speed is nobody's.
func (r *report) measured(name string, values map[string]float64, format string, words ...any) {
	if r.Emulated {
		r.say(name, "ran through; emulated: no speed")
		return
	}
	r.add(row{name, fmt.Sprintf(format, words...), values})
}

func (r *report) add(added row) {
	r.Rows = append(r.Rows, added)
	fmt.Fprintf(r.out, "%-22s %s\n", added.Name, added.Result)
}

// write stores the report as JSON.
func (r *report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
