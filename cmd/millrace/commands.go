package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"

	"millrace/api"
	"millrace/internal/appliance"
	"millrace/internal/appliance/cards"
	"millrace/internal/appliance/config"
	"millrace/internal/child"
	"millrace/internal/srt/process"
	"millrace/mixer/engine"
)

type serveCommand struct {
	place
	NoDemo   bool `help:"Do not make the demo channel at the first start." env:"MILLRACE_NO_DEMO"`
	ShowKeys bool `help:"Print push addresses with their keys."`
}

// Run serves until a signal.
func (c serveCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	log := newLog(cfg.Log)
	node, err := appliance.Open(ctx, cfg, appliance.Options{
		Version: version, NoDemo: c.NoDemo, ShowKeys: c.ShowKeys || isTerminal(os.Stdout), Out: os.Stdout, Log: log,
	})
	if err != nil {
		return err
	}
	return errors.Join(node.Run(ctx), node.Close())
}

// load reads the configuration of the place.
func (p place) load() (config.Config, error) {
	name, text := p.Config, []byte(nil)
	var err error
	if name == "" {
		name = "millrace.yaml"
		if text, err = os.ReadFile(name); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return config.Config{}, fmt.Errorf("read configuration: %w", err)
	}
	flags := map[string]string{}
	if p.Data != "" {
		flags["node.dataDir"] = p.Data
	}
	return config.Load(name, text, os.Environ(), flags)
}

func newLog(cfg config.Log) *slog.Logger {
	var level slog.Level
	// The configuration allows slog's names only.
	_ = level.UnmarshalText([]byte(cfg.Level))
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

type doctorCommand struct {
	place
	JSON bool `help:"Print JSON."`
}

// Run prints one line a check; a failed one makes the command fail.
func (c doctorCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	checks := append(appliance.Examine(ctx, cfg), appliance.ExamineSandbox()...)
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(checks)
	} else {
		for _, check := range checks {
			fmt.Println(check)
		}
	}
	if err == nil && !appliance.Healthy(checks) {
		err = errors.New("this machine is not ready; see the lines marked FAIL")
	}
	return err
}

type tokenCommands struct {
	Create tokenCreateCommand `cmd:"" help:"Make an API key; it is shown once."`
}

type tokenCreateCommand struct {
	place
	Scope []string `help:"What the key may do: view, operate, manage, ingest, playback." required:"" enum:"view,operate,manage,ingest,playback"`
	Name  string   `help:"What the key is for."`
	JSON  bool     `help:"Print JSON."`
}

// Run works while the node runs and when it does not.
func (c tokenCreateCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	request := api.KeyRequest{Name: c.Name}
	for _, scope := range c.Scope {
		request.Scopes = append(request.Scopes, api.Scope(scope))
	}
	key, err := appliance.CreateToken(ctx, cfg.Node.DataDir, request)
	if err != nil {
		return fmt.Errorf("create token: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"id": key.Id, "key": key.Key, "scopes": key.Scopes})
	}
	fmt.Println(key.Key)
	return nil
}

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version.
func (c versionCommand) Run() error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"version": version, "go": runtime.Version()})
	}
	fmt.Println("millrace", version, runtime.Version())
	return nil
}

type workerCommand struct{}

// Run is a channel's worker, at the far end of a socket that serve made.
func (workerCommand) Run(ctx context.Context) error {
	conn, err := inherited()
	if err != nil {
		return err
	}
	return engine.Serve(ctx, conn)
}

type cardCommand struct {
	Driver string `help:"Library in place of NVIDIA's driver; tests only."`
	Watch  bool   `help:"Send a sample every second."`
}

// Run looks at the cards for the server, at the far end of its socket.
func (c cardCommand) Run(ctx context.Context) error {
	conn, err := inherited()
	if err != nil {
		return err
	}
	return cards.Serve(ctx, conn, c.Driver, c.Watch)
}

type clipEncoderCommand struct{}

// Run encodes a few frames, likewise.
func (clipEncoderCommand) Run(ctx context.Context) error {
	conn, err := inherited()
	if err != nil {
		return err
	}
	return engine.ServeReencoder(ctx, conn)
}

type srtCommand struct{}

// Run is the SRT process, likewise.
func (srtCommand) Run() error {
	conn, err := inherited()
	if err != nil {
		return err
	}
	return process.Serve(conn)
}

func inherited() (*child.Conn, error) {
	conn, err := child.Inherited()
	if err != nil {
		return nil, usageError{fmt.Errorf("this command is started by millrace serve: %w", err)}
	}
	return conn, nil
}
