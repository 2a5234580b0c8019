// Command millrace is the appliance: one binary that serves, and that starts
// itself again as the processes that touch pictures and SRT.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "dev"

// Exit codes of the contract.
const (
	exitFailed = 1
	exitUsage  = 2
)

type cli struct {
	Serve       serveCommand       `cmd:"" help:"Run the appliance."`
	Doctor      doctorCommand      `cmd:"" help:"Check this machine and say what to do about what is wrong."`
	Token       tokenCommands      `cmd:"" help:"Make API keys."`
	Export      exportCommand      `cmd:"" help:"Print the running node's show: sources, channels, scenes, sound."`
	Apply       applyCommand       `cmd:"" help:"Make the running node's show as a file says; prints what changes."`
	Diagnostics diagnosticsCommand `cmd:"" help:"Write a file for whoever helps: findings, state, alarms; no keys."`
	Healthcheck healthcheckCommand `cmd:"" hidden:"" help:"Succeed while the node answers; for containers."`
	Store       storeCommands      `cmd:"" help:"Look at a channel's stored media, repair it, export it."`
	Version     versionCommand     `cmd:"" help:"Print the version."`

	Worker      workerCommand      `cmd:"" hidden:"" help:"Run a channel's pictures and sound; started by serve."`
	ClipEncoder clipEncoderCommand `cmd:"" hidden:"" help:"Encode the beginning of a clip anew; started by serve."`
	Card        cardCommand        `cmd:"" hidden:"" help:"Look at the cards; started by serve."`
	SRT         srtCommand         `cmd:"" name:"srt" hidden:"" help:"Run the SRT listener; started by serve."`
}

// place says where a node's configuration and data are.
type place struct {
	Config string `help:"Configuration file (default: ./millrace.yaml if it exists)." env:"MILLRACE_CONFIG" placeholder:"FILE"`
	Data   string `help:"Data directory, in place of node.dataDir." placeholder:"DIR"`
}

func main() {
	ctx, stop := signalContext()
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// signalContext ends at the first signal; the second one exits at once.
func signalContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() { // until the process ends
		<-signals
		cancel()
		<-signals
		os.Exit(exitFailed)
	}()
	return ctx, cancel
}

func run(ctx context.Context, args []string) int {
	var commands cli
	parser, err := kong.New(&commands, kong.Name("millrace"),
		kong.Description("Live production: ingest, mix, package and serve."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "millrace:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "millrace: %v\nRun millrace --help for the commands.\n", err)
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		var usage usageError
		fmt.Fprintln(os.Stderr, "millrace:", err)
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	return 0
}

// usageError is a fault of the command line.
type usageError struct{ error }
