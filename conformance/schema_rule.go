package main

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
)

// judgeSchema validates the MPD against the schema of ISO/IEC 23009-1, which is
// named by a flag: it is MPEG's, and no part of this program.
func (c *Checker) judgeSchema(ctx context.Context, m *manifest) {
	if c.Schema == "" {
		c.Report.NotYet("D01", "name the schema: -schema DASH-MPD.xsd")
		return
	}
	command := exec.CommandContext(ctx, "xmllint", "--noout", "--nonet", "--schema", c.Schema, "-")
	command.Stdin = bytes.NewReader(m.Body)
	out, err := command.CombinedOutput()
	if command.ProcessState == nil {
		c.Report.NotYet("D01", err.Error())
		return
	}
	said, _, _ := strings.Cut(string(out), "\n")
	c.Report.Expect("D01", err == nil, "%s", said)
}
