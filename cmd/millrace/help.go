package main

import (
	"context"
	"fmt"
	"os"

	"millrace/internal/appliance"
)

type diagnosticsCommand struct {
	place
	Output string `short:"o" help:"The file to write (tar.gz)." default:"millrace-diagnostics.tar.gz" placeholder:"FILE"`
}

// Run writes the bundle.
func (c diagnosticsCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(c.Output, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	if err := appliance.Diagnose(ctx, cfg, version, file); err != nil {
		file.Close()
		return fmt.Errorf("write diagnostics: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	fmt.Println(c.Output + " is written; it holds no keys. Look at it before you send it.")
	return nil
}

type healthcheckCommand struct{ place }

// Run succeeds while the node answers on its local socket.
func (c healthcheckCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return appliance.Healthcheck(ctx, cfg.Node.DataDir)
}
