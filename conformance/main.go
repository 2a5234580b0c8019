// Command conformance checks a live HLS and DASH origin, of any make, against
// the rules of the low-latency HLS draft, Apple's authoring specification, the
// low-latency DASH guidelines and CMAF. It asks only over HTTP:
//
//	go run ./conformance -for 30s http://host:8888/live/demo/index.m3u8
//
// It prints one line per rule with its outcome and the evidence. The exit code
// is 1 when a rule is broken, 2 when nothing could be asked.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"
)

// Exit codes.
const (
	exitBroken = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, arguments []string, out, complaints io.Writer) int {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(complaints)
	length := flags.Duration("for", 20*time.Second, "how long to follow the playlists")
	manifest := flags.String("mpd", "", "URL of the MPD (default: manifest.mpd beside the playlist; none: no DASH)")
	only := flags.String("only", "", "rules to print, by the beginning of their IDs, separated by commas")
	flags.Usage = func() {
		fmt.Fprintln(complaints, "usage: conformance [flags] URL-of-multivariant-playlist")
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil || flags.NArg() != 1 {
		if err == nil {
			flags.Usage()
		}
		return exitUsage
	}
	master, err := url.Parse(flags.Arg(0))
	if err != nil || !strings.HasPrefix(master.Scheme, "http") {
		fmt.Fprintf(complaints, "conformance: %q is no http URL\n", flags.Arg(0))
		return exitUsage
	}
	report := NewReport()
	check := &Checker{Report: report, Client: NewClient(), Length: *length, Master: master.String(), Manifest: *manifest}
	if check.Manifest == "" {
		check.Manifest = resolve(check.Master, "manifest.mpd")
	}
	if err := check.Run(ctx); err != nil {
		fmt.Fprintln(complaints, "conformance:", err)
		return exitUsage
	}
	report.Print(out, strings.Split(*only, ","))
	if report.Broken() {
		return exitBroken
	}
	return 0
}

// resolve is a reference relative to a URL.
func resolve(base, reference string) string {
	b, err := url.Parse(base)
	if err != nil {
		return reference
	}
	r, err := b.Parse(reference)
	if err != nil {
		return reference
	}
	return r.String()
}
