package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"millrace/api"
	"millrace/internal/appliance"
)

type exportCommand struct {
	place
	Secrets bool `help:"With the keys of sources and other secrets."`
	JSON    bool `help:"Print JSON in place of YAML."`
}

// Run prints the show of the running node.
func (c exportCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	text, err := appliance.Export(ctx, cfg.Node.DataDir, c.Secrets)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if !c.JSON {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("write show as YAML: %w", err)
		}
	}
	_, err = fmt.Println(strings.TrimSpace(string(text)))
	return err
}

type applyCommand struct {
	place
	File   string `short:"f" help:"The show, YAML or JSON; - is standard input." required:"" placeholder:"FILE"`
	DryRun bool   `help:"Only print what would change."`
	Prune  bool   `help:"Delete the sources and channels that the file has not."`
	JSON   bool   `help:"Print JSON."`
}

// maxShow is the largest show, in bytes.
const maxShow = 8 << 20

// Run makes the running node's show as the file says, and prints the plan.
func (c applyCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	text, err := readShow(c.File)
	if err != nil {
		return err
	}
	answer, err := appliance.Apply(ctx, cfg.Node.DataDir, text, c.DryRun, c.Prune)
	if err != nil {
		return fmt.Errorf("apply %s: %w", c.File, err)
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(answer)
	}
	printPlan(os.Stdout, answer)
	return nil
}

// readShow reads a file of YAML, of which JSON is a part, and gives JSON.
func readShow(name string) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read show: %w", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxShow+1))
	if err != nil {
		return nil, fmt.Errorf("read show: %w", err)
	}
	if len(text) > maxShow {
		return nil, fmt.Errorf("read show: it has more than %d bytes", maxShow)
	}
	made, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("read show: %w", err)
	}
	return made, nil
}

func printPlan(to io.Writer, answer api.ImportAnswer) {
	mark := map[api.PlanStepAction]string{api.PlanStepActionCreate: "+", api.PlanStepActionChange: "~", api.PlanStepActionDelete: "-"}
	for _, step := range answer.Plan {
		line := fmt.Sprintf("%s %s %s", mark[step.Action], step.Kind, step.Id)
		if len(step.Fields) > 0 {
			line += ": " + strings.Join(step.Fields, ", ")
		}
		fmt.Fprintln(to, line)
	}
	switch {
	case len(answer.Plan) == 0:
		fmt.Fprintln(to, "Nothing to change.")
	case answer.Applied:
		fmt.Fprintf(to, "%d changes made.\n", len(answer.Plan))
	default:
		fmt.Fprintf(to, "%d changes to make.\n", len(answer.Plan))
	}
}
