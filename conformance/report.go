package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
)

// keptFindings is how many broken instances of a rule are shown.
const keptFindings = 3

// Report collects what was seen of each rule. Safe from any goroutine.
type Report struct {
	mu   sync.Mutex
	rows map[string]*row
}

// row is one rule: passed when it was checked and never broken.
type row struct {
	checks, broken int
	findings       []string // of what is broken
	evidence       string   // of what is kept
	why            string   // it could not be checked
}

// NewReport has every rule of the table, none of them checked.
func NewReport() *Report {
	r := &Report{rows: make(map[string]*row)}
	for _, rule := range rules() {
		r.rows[rule.id] = &row{why: rule.needs}
	}
	return r
}

// Expect counts one check of a rule. The text says what was seen; it is kept of
// the first few that break the rule.
func (r *Report) Expect(id string, kept bool, format string, arguments ...any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	row := r.row(id)
	row.checks++
	if kept {
		return true
	}
	row.broken++
	if len(row.findings) < keptFindings {
		row.findings = append(row.findings, fmt.Sprintf(format, arguments...))
	}
	return false
}

// Note sets the evidence that a kept rule is printed with.
func (r *Report) Note(id, format string, arguments ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.row(id).evidence = fmt.Sprintf(format, arguments...)
}

// NotYet says why a rule could not be checked here.
func (r *Report) NotYet(id, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.row(id).why = why
}

func (r *Report) row(id string) *row {
	if r.rows[id] == nil {
		panic("no such rule: " + id)
	}
	return r.rows[id]
}

// Outcome is "pass", "fail" or "not yet", with the evidence.
func (r *Report) Outcome(id string) (outcome, evidence string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row := r.row(id)
	switch {
	case row.broken > 0:
		return "fail", fmt.Sprintf("%d of %d: %s", row.broken, row.checks, strings.Join(row.findings, "; "))
	case row.checks > 0 && row.evidence != "":
		return "pass", fmt.Sprintf("%d checks; %s", row.checks, row.evidence)
	case row.checks > 0:
		return "pass", fmt.Sprintf("%d checks", row.checks)
	}
	return "not yet", row.why
}

// Broken says that a rule was found broken.
func (r *Report) Broken() bool {
	for _, rule := range rules() {
		if outcome, _ := r.Outcome(rule.id); outcome == "fail" {
			return true
		}
	}
	return false
}

// Print writes the table, of all rules or of those that begin as one of the
// prefixes, and the sums.
func (r *Report) Print(out io.Writer, prefixes []string) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	sums := map[string]int{}
	fmt.Fprintln(table, "ID\tOUTCOME\tRULE\tEVIDENCE")
	for _, rule := range rules() {
		if !begins(rule.id, prefixes) {
			continue
		}
		outcome, evidence := r.Outcome(rule.id)
		sums[outcome]++
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", rule.id, outcome, rule.text, evidence)
	}
	_ = table.Flush() // its errors are those of out, which the next line meets too
	fmt.Fprintf(out, "\n%d pass, %d fail, %d not yet\n", sums["pass"], sums["fail"], sums["not yet"])
}

func begins(id string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(id, strings.TrimSpace(prefix)) {
			return true
		}
	}
	return false
}
