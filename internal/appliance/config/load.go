package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Fault is one thing that is wrong, with its place.
type Fault struct {
	Place  string // "millrace.yaml:3", "MILLRACE_AUTH__MODE"
	Path   string // "auth.mode"; empty where there is none
	Detail string
}

// Error implements error.
func (f Fault) Error() string {
	if f.Path == "" {
		return f.Place + ": " + f.Detail
	}
	return fmt.Sprintf("%s: %s: %s", f.Place, f.Path, f.Detail)
}

const envPrefix = "MILLRACE_"

// reserved are variables with our prefix that are no settings.
var reserved = []string{"MILLRACE_FFMPEG", "MILLRACE_CONFIG", "MILLRACE_NO_DEMO", "MILLRACE_CUDA_LIBRARY", "MILLRACE_CUDA_EMULATION"}

// Load merges the file's text (name is shown in faults; nil text is no file),
// the environment and flags, which are dotted paths with their values, into the
// defaults. All faults come back joined.
func Load(name string, text []byte, environ []string, flags map[string]string) (Config, error) {
	loader := loader{config: Default(), byPath: map[string]setting{}}
	for _, s := range settings() {
		loader.byPath[strings.ToLower(s.path)] = s
	}
	loader.file(name, text)
	loader.environment(environ)
	for path, value := range flags {
		loader.assign("flag", path, value)
	}
	loader.finish()
	return loader.config, errors.Join(loader.faults...)
}

type loader struct {
	config Config
	byPath map[string]setting // by lower-case path
	faults []error
}

func (l *loader) fault(place, path, detail string) {
	l.faults = append(l.faults, Fault{place, path, detail})
}

func (l *loader) assign(place, path string, value any) {
	s, ok := l.byPath[strings.ToLower(path)]
	if !ok {
		l.fault(place, path, "unknown key"+l.suggest(path))
		return
	}
	if err := s.set(&l.config, value); err != nil {
		l.fault(place, s.path, err.Error())
	}
}

// suggest names the known keys of the same section.
func (l *loader) suggest(path string) string {
	section, _, _ := strings.Cut(path, ".")
	var known []string
	for _, s := range l.byPath {
		if strings.HasPrefix(s.path, section+".") {
			known = append(known, s.path)
		}
	}
	if len(known) == 0 {
		return ""
	}
	slices.Sort(known)
	return "; known are " + strings.Join(known, ", ")
}

func (l *loader) file(name string, text []byte) {
	if len(text) == 0 {
		return
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		l.broken(name, err)
		return
	}
	for _, document := range tree.Docs {
		if document.Body != nil {
			l.node(name, "", document.Body)
		}
	}
}

// broken reports text that is no YAML, with its line.
func (l *loader) broken(name string, err error) {
	var syntax yaml.Error
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		l.fault(fmt.Sprintf("%s:%d", name, syntax.GetToken().Position.Line), "", syntax.GetMessage())
		return
	}
	l.fault(name, "", err.Error())
}

// node walks mappings down to the values of settings.
func (l *loader) node(name, path string, node ast.Node) {
	place := fmt.Sprintf("%s:%d", name, node.GetToken().Position.Line)
	if _, known := l.byPath[strings.ToLower(path)]; !known {
		switch node := node.(type) {
		case *ast.MappingNode:
			for _, value := range node.Values {
				l.member(name, path, value)
			}
			return
		case *ast.MappingValueNode:
			l.member(name, path, node)
			return
		case *ast.NullNode:
			return // an empty section
		}
	}
	var value any
	if err := yaml.NodeToValue(node, &value); err != nil {
		l.broken(name, err)
		return
	}
	l.assign(place, path, value)
}

func (l *loader) member(name, path string, member *ast.MappingValueNode) {
	key := member.Key.GetToken().Value
	if path != "" {
		key = path + "." + key
	}
	l.node(name, key, member.Value)
}

func (l *loader) environment(environ []string) {
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours || slices.Contains(reserved, name) {
			continue
		}
		var value any = text
		var parsed any
		if err := yaml.Unmarshal([]byte(text), &parsed); err == nil && !strings.HasPrefix(text, ":") {
			value = parsed
		}
		l.assign(name, strings.ReplaceAll(rest, "__", "."), value)
	}
}

// finish fills in what depends on other settings and checks them together.
func (l *loader) finish() {
	if len(l.config.Storage.Volumes) == 0 {
		l.config.Storage.Volumes = []string{filepath.Join(l.config.Node.DataDir, "dvr")}
	}
	for path, listener := range map[string]Listener{"control.tls": l.config.Control, "media.tls": l.config.Media} {
		if listener.TLS.Mode == "files" && (listener.TLS.Cert == "" || listener.TLS.Key == "") {
			l.fault(path+".mode", path, "files needs cert and key, the paths of PEM files")
		}
	}
	if l.config.Auth.Mode != "off" {
		return
	}
	for path, listener := range map[string]*Listener{"control.listen": &l.config.Control, "media.listen": &l.config.Media} {
		host, port, err := net.SplitHostPort(listener.Listen)
		if err == nil && host == "" {
			listener.Listen = net.JoinHostPort("127.0.0.1", port)
		} else if !loopback(listener.Listen) {
			l.fault("auth.mode", path, fmt.Sprintf("auth is off, so only loopback may be bound, not %q", listener.Listen))
		}
	}
}
