// Package archtest holds the layer rules of the tree: who may import whom, and where C may stand. Its test is the linter.
package archtest

import "strings"

// module is the import path that every package of ours begins with.
const module = "millrace/"

// everything as an allowed import: the wiring and what stands above it.
const everything = "*"

// layer is a folder with the layers that it may import besides itself and internal/media, which everyone may.
type layer struct {
	path   string // below the module, standing for the folders below it too
	allows []string
}

// layers is the table of allowed edges. A package belongs to the layer with the longest path that holds it; one that belongs to none
// is a fault, so that a new folder comes with its rule.
func layers() []layer {
	shared := []string{"internal/delay", "internal/machinetest", "internal/rtc", "internal/srt", "internal/rtmp", "internal/mpegts"}
	return []layer{
		{path: "internal/media"},
		{path: "internal/delay"},
		{path: "internal/archtest"},
		{path: "internal/machinetest"},
		{path: "internal/state"},
		{path: "internal/events"},
		{path: "internal/egress"},
		{path: "internal/child"},
		{path: "internal/rtc"},
		{path: "internal/rtmp"},
		{path: "internal/mpegts"},
		{path: "internal/srt", allows: []string{"internal/child"}}, // a re-executed process, as the worker is
		{path: "ingest", allows: shared},
		{path: "gpu"},
		{path: "mixer/scene"},
		{path: "mixer/worker", allows: []string{"mixer/scene", "internal/child", "internal/delay"}},
		{path: "mixer/reencode", allows: []string{"internal/child"}},
		{path: "mixer/engine", allows: []string{"gpu", "mixer/scene", "mixer/worker", "mixer/reencode", "internal/child", "internal/delay"}}, // it is the child
		{path: "output/cmaf"},
		{path: "output/whep", allows: shared},
		{path: "output/push", allows: shared},
		{path: "output/origin", allows: []string{"record", "output/cmaf"}},
		{path: "record", allows: []string{"output/cmaf"}},
		{path: "api/client"}, // it stands by itself: others import it
		{path: "api", allows: []string{"mixer/scene", "internal/events"}},
		{path: "internal/appliance", allows: []string{everything}},
		{path: "cmd", allows: []string{everything}},
		{path: "benchmarks", allows: []string{everything}},
		{path: "conformance"}, // it judges any origin, so it sees none of ours
		{path: "e2e", allows: []string{everything}},
	}
}

// codecLayers may use cgo of their own and import the FFmpeg binding.
func codecLayers() []string { return []string{"gpu", "mixer/engine"} }

// srtLayer may use cgo and srtgo in the packages below it. It is free of C itself, because ingest and push import it.
const srtLayer = "internal/srt"

// linkingLayers may have C among their dependencies without having any of their own: they link the whole binary.
func linkingLayers() []string { return []string{"internal/appliance", "cmd", "benchmarks", "e2e"} }

// optionalC are modules that use C where cgo is on and build without it too. scripts/test.sh has the same list.
func optionalC() []string { return []string{"kernel.org/pub/linux/libs/security/libcap/psx"} }

// within says whether a package path is that folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// withinAny says whether a package path lies in one of the folders.
func withinAny(path string, folders []string) bool {
	for _, folder := range folders {
		if within(path, folder) {
			return true
		}
	}
	return false
}

// layerOf returns the layer that a package path belongs to.
func layerOf(path string) (layer, bool) {
	var best layer
	for _, l := range layers() {
		if within(path, l.path) && len(l.path) > len(best.path) {
			best = l
		}
	}
	return best, best.path != ""
}
