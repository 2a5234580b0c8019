// Command conformance checks a live HLS and DASH origin, of any make, against
// the rules of the low-latency HLS draft, Apple's authoring specification, the
// low-latency DASH guidelines and CMAF. It asks only over HTTP:
//
//	go run ./conformance -for 30s http://host:8888/live/demo/index.m3u8
//
// and endpoints for WebRTC against those of RFC 9725 and the WHEP draft:
//
//	go run ./conformance -whip http://host:8888/whip/cam2 -key KEY -whep http://host:8888/whep/demo
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
	schema := flags.String("schema", "", "file of the MPD's XML schema, with those that it imports beside it: D01 is judged by xmllint")
	only := flags.String("only", "", "rules to print, by the beginning of their IDs, separated by commas")
	var rtc WebRTC
	flags.StringVar(&rtc.Whip, "whip", "", "WHIP endpoint of a source that nobody publishes to")
	flags.StringVar(&rtc.Key, "key", "", "its Bearer token")
	flags.StringVar(&rtc.Whep, "whep", "", "WHEP endpoint of a program on air")
	flags.StringVar(&rtc.Idle, "idle", "", "WHEP endpoint of what is not on air")
	flags.BoolVar(&rtc.Slow, "slow", false, "check also what takes half a minute")
	flags.Usage = func() {
		fmt.Fprintln(complaints, "usage: conformance [flags] [URL-of-multivariant-playlist]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil || flags.NArg() > 1 || flags.NArg() == 0 && rtc.Whip == "" && rtc.Whep == "" {
		if err == nil {
			flags.Usage()
		}
		return exitUsage
	}
	report := NewReport()
	if flags.NArg() == 1 {
		check := &Checker{Report: report, Client: NewClient(), Length: *length, Master: flags.Arg(0), Manifest: *manifest, Schema: *schema}
		if err := check.start(ctx); err != nil {
			fmt.Fprintln(complaints, "conformance:", err)
			return exitUsage
		}
	}
	rtc.Report, rtc.Client = report, NewClient()
	if err := rtc.Run(ctx); err != nil {
		fmt.Fprintln(complaints, "conformance:", err)
		return exitUsage
	}
	report.Print(out, strings.Split(*only, ","))
	if report.Broken() {
		return exitBroken
	}
	return 0
}

// start checks the presentation, if its address is one.
func (c *Checker) start(ctx context.Context) error {
	master, err := url.Parse(c.Master)
	if err != nil || !strings.HasPrefix(master.Scheme, "http") {
		return fmt.Errorf("%q is no http URL", c.Master)
	}
	if c.Manifest == "" {
		c.Manifest = resolve(c.Master, "manifest.mpd")
	}
	return c.Run(ctx)
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
