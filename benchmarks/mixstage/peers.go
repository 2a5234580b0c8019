package mixstage

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/gpu"
)

// outputs says where a peer's pictures go: nowhere, or raw I420 files by rung.
type outputs struct {
	frames int
	folder string // empty: nowhere
}

func (o outputs) path(rung gpu.Size) string { return fmt.Sprintf("%s/%v.i420", o.folder, rung) }

// ffmpeg is the command line with ffmpeg's own filter graph. flags are those of
// its scale filter; empty leaves its default, bicubic.
func ffmpeg(paths []string, flags string, o outputs) []string {
	arguments := strings.Fields("-hide_banner -loglevel error -nostdin -y -filter_complex_threads 1")
	if flags != "" {
		flags = ":flags=" + flags
	}
	cell := gpu.Size{Width: canvas().Width / 2, Height: canvas().Height / 2}
	var graph, cells, copies, scales strings.Builder
	for i, path := range paths {
		arguments = append(arguments, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", input().String(), "-framerate", "30", "-i", path)
		fmt.Fprintf(&graph, "[%d:v]loop=loop=-1:size=%d,scale=%d:%d%s[cell%d];", i, kept, cell.Width, cell.Height, flags, i)
		fmt.Fprintf(&cells, "[cell%d]", i)
	}
	for i, rung := range ladder() {
		if i == 0 {
			copies.WriteString("[rung0]")
			continue
		}
		fmt.Fprintf(&copies, "[copy%d]", i)
		fmt.Fprintf(&scales, ";[copy%d]scale=%d:%d%s[rung%d]", i, rung.Width, rung.Height, flags, i)
	}
	fmt.Fprintf(&graph, "%sxstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0,split=%d%s%s", &cells, len(ladder()), &copies, &scales)
	arguments = append(arguments, "-filter_complex", graph.String())
	for i, rung := range ladder() {
		arguments = append(arguments, "-map", fmt.Sprintf("[rung%d]", i), "-frames:v", strconv.Itoa(o.frames))
		if o.folder == "" {
			arguments = append(arguments, "-f", "null", "-")
		} else {
			arguments = append(arguments, "-f", "rawvideo", o.path(rung))
		}
	}
	return arguments
}

// gstreamer is the command line with GStreamer's compositor and videoscale, as
// they are by default: bilinear.
func gstreamer(paths []string, o outputs) []string {
	arguments := []string{"-q", "compositor", "name=mix", "background=black"}
	cell := gpu.Size{Width: canvas().Width / 2, Height: canvas().Height / 2}
	for i := range paths {
		for property, value := range map[string]int{"xpos": i % 2 * cell.Width, "ypos": i / 2 * cell.Height, "width": cell.Width, "height": cell.Height} {
			arguments = append(arguments, fmt.Sprintf("sink_%d::%s=%d", i, property, value))
		}
	}
	arguments = append(arguments, "!", fmt.Sprintf("video/x-raw,format=I420,width=%d,height=%d,framerate=30/1", canvas().Width, canvas().Height), "!", "tee", "name=canvas")
	for i, rung := range ladder() {
		arguments = append(arguments, "canvas.", "!", "queue", "!")
		if i > 0 {
			arguments = append(arguments, "videoscale", "!", fmt.Sprintf("video/x-raw,width=%d,height=%d,pixel-aspect-ratio=1/1", rung.Width, rung.Height), "!")
		}
		if o.folder == "" {
			arguments = append(arguments, "fakesink", "sync=false")
		} else {
			arguments = append(arguments, "filesink", "location="+o.path(rung))
		}
	}
	size := input().Width * input().Height * 3 / 2
	for i, path := range paths {
		arguments = append(arguments, "filesrc", "num-buffers=1", fmt.Sprintf("blocksize=%d", size), "location="+path,
			"!", "rawvideoparse", "format=i420", fmt.Sprintf("width=%d", input().Width), fmt.Sprintf("height=%d", input().Height), "framerate=30/1",
			"!", "imagefreeze", fmt.Sprintf("num-buffers=%d", o.frames), "!", fmt.Sprintf("mix.sink_%d", i))
	}
	return arguments
}
