// Command generate writes one clip of test media to a file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"millrace/benchmarks/testmedia"
	"millrace/internal/media"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch err := run(ctx, os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp), errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// errUsage says that the flag set has already told the user.
var errUsage = errors.New("usage")

func run(ctx context.Context, args []string) error {
	var clip testmedia.Clip
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	scene := flags.String("scene", "texture", "texture, talk or sync")
	size := flags.String("size", "1280x720", "width x height in pixels")
	flags.TextVar(&clip.Rate, "rate", media.Rate{Num: 30, Den: 1}, "frames a second, exact: 30 or 30000/1001")
	length := flags.Duration("length", 10*time.Second, "how long the clip is")
	output := flags.String("o", "", "file to write: .mp4 .ts .flv .mkv or .y4m")
	flags.Int64Var(&clip.First, "first", 0, "counter of the first frame")
	flags.Uint64Var(&clip.Seed, "seed", 1, "what tells clips of one scene apart")
	flags.IntVar(&clip.Bitrate, "bitrate", 0, "of the video, bits per second (0: a tenth of a bit a pixel)")
	flags.IntVar(&clip.GOP, "gop", 0, "frames from keyframe to keyframe (0: two seconds)")
	flags.IntVar(&clip.Tone, "tone", 0, "a steady sine in place of the scene's sound, Hz (0: none)")
	flags.IntVar(&clip.BFrames, "bframes", 0, "B-frames between references")
	if err := flags.Parse(args); err != nil {
		return errors.Join(errUsage, err)
	}
	if _, err := fmt.Sscanf(*size, "%dx%d", &clip.Width, &clip.Height); err != nil || *output == "" || flags.NArg() > 0 {
		fmt.Fprintln(flags.Output(), "generate: -size takes WIDTHxHEIGHT and -o takes a file")
		flags.Usage()
		return errUsage
	}
	clip.Scene = testmedia.Scene(*scene)
	clip.Frames = clip.Rate.Index(media.Time(*length)-1) + 1
	return testmedia.Encode(ctx, clip, *output)
}
