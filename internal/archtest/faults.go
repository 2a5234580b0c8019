package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// goPackage is what `go list -json` says of one package. Imports and Deps leave tests out.
type goPackage struct {
	ImportPath string
	Standard   bool
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Deps       []string
}

// bindings are the modules in C's place: own cgo and these stand only where C may.
const (
	ffmpegBinding = "github.com/asticode/go-astiav"
	srtBinding    = "github.com/haivision/srtgo"
)

// faults judges all packages, ours and those that they depend on, and says each broken rule with the import that breaks it.
func faults(packages []goPackage) []string {
	byPath := make(map[string]goPackage, len(packages))
	for _, p := range packages {
		byPath[p.ImportPath] = p
	}
	var found []string
	for _, p := range packages {
		path, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || len(p.GoFiles)+len(p.CgoFiles) == 0 {
			continue
		}
		found = append(found, edgeFaults(path, p, byPath)...)
		found = append(found, cFaults(path, p, byPath)...)
	}
	slices.Sort(found)
	return found
}

// edgeFaults says which imports of one package its layer does not allow.
func edgeFaults(path string, p goPackage, byPath map[string]goPackage) []string {
	from, ok := layerOf(path)
	if !ok {
		return []string{path + " belongs to no layer: give its folder a rule"}
	}
	var found []string
	for _, imported := range p.Imports {
		target, ours := strings.CutPrefix(imported, module)
		if !ours {
			if from.path == "internal/media" && !byPath[imported].Standard {
				found = append(found, fmt.Sprintf("%s imports %s: internal/media imports the standard library only", path, imported))
			}
			continue
		}
		to, _ := layerOf(target)
		switch {
		case to.path == from.path, to.path == "internal/media":
		case slices.Contains(from.allows, everything), slices.Contains(from.allows, to.path):
		default:
			found = append(found, fmt.Sprintf("%s imports %s: %s does not see %s", path, target, from.path, target))
		}
	}
	return found
}

// cFaults says where one package has C, or depends on it, and may not.
func cFaults(path string, p goPackage, byPath map[string]goPackage) []string {
	codec := withinAny(path, codecLayers())
	srt := within(path, srtLayer) && path != srtLayer
	var found []string
	if len(p.CgoFiles) > 0 && !codec && !srt {
		found = append(found, path+" uses cgo: C stands in gpu, mixer/engine and below internal/srt only")
	}
	for _, imported := range p.Imports {
		if imported == ffmpegBinding && !codec {
			found = append(found, fmt.Sprintf("%s imports %s: FFmpeg stands in gpu and mixer/engine only", path, imported))
		}
		if imported == srtBinding && !srt {
			found = append(found, fmt.Sprintf("%s imports %s: libsrt stands below internal/srt only", path, imported))
		}
	}
	if codec || srt || withinAny(path, linkingLayers()) {
		return found
	}
	for _, dependency := range p.Deps {
		if d := byPath[dependency]; !d.Standard && len(d.CgoFiles) > 0 && !slices.Contains(optionalC(), dependency) {
			found = append(found, fmt.Sprintf("%s depends on %s, which is C: it must build with CGO_ENABLED=0", path, dependency))
		}
	}
	return found
}
