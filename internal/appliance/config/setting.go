package config

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// setting is one key of the file: its dotted path and how a value is taken.
type setting struct {
	path string
	set  func(c *Config, value any) error
}

// settings are all keys of the contract. Those that this version does not do
// take their default only, and say so otherwise.
func settings() []setting {
	return []setting{
		{"node.name", text(func(c *Config) *string { return &c.Node.Name }, name)},
		{"node.dataDir", text(func(c *Config) *string { return &c.Node.DataDir }, notEmpty)},
		{"control.listen", text(func(c *Config) *string { return &c.Control.Listen }, address)},
		{"control.tls.mode", text(func(c *Config) *string { return &c.Control.TLS.Mode }, tlsMode)},
		{"control.tls.cert", text(func(c *Config) *string { return &c.Control.TLS.Cert }, notEmpty)},
		{"control.tls.key", text(func(c *Config) *string { return &c.Control.TLS.Key }, notEmpty)},
		{"media.listen", text(func(c *Config) *string { return &c.Media.Listen }, address)},
		{"media.tls.mode", text(func(c *Config) *string { return &c.Media.TLS.Mode }, tlsMode)},
		{"media.tls.cert", text(func(c *Config) *string { return &c.Media.TLS.Cert }, notEmpty)},
		{"media.tls.key", text(func(c *Config) *string { return &c.Media.TLS.Key }, notEmpty)},
		{"ingest.rtmp", text(func(c *Config) *string { return &c.Ingest.RTMP }, optional(address))},
		{"ingest.rtmps", later("")},
		{"ingest.srt", text(func(c *Config) *string { return &c.Ingest.SRT }, optional(address))},
		{"webrtc.listen", text(func(c *Config) *string { return &c.WebRTC.Listen }, optional(address))},
		{"webrtc.tcp", setWebRTCTCP},
		{"webrtc.announce", setAnnounce},
		{"gpu.policy", text(func(c *Config) *string { return &c.GPU.Policy }, oneOf("prefer", "require", "never"))},
		{"gpu.devices", setDevices},
		{"gpu.isolation", later("channel")},
		{"storage.volumes", setVolumes},
		{"storage.reserveBytes", setReserve},
		{"storage.s3", later(nil)},
		{"auth.mode", text(func(c *Config) *string { return &c.Auth.Mode }, oneOf("on", "off"))},
		{"egress.allowPrivate", setAllowPrivate},
		{"cluster.enabled", later(false)},
		{"cluster.name", later("")},
		{"cluster.routes", later(nil)},
		{"cluster.external", later("")},
		{"log.level", text(func(c *Config) *string { return &c.Log.Level }, oneOf("debug", "info", "warn", "error"))},
		{"log.format", text(func(c *Config) *string { return &c.Log.Format }, oneOf("text", "json"))},
	}
}

// text is a setter of a string field with a check.
func text(field func(*Config) *string, check func(string) error) func(*Config, any) error {
	return func(c *Config, value any) error {
		s, ok := value.(string)
		if !ok && value != nil {
			s = fmt.Sprint(value)
		}
		if word, isBool := onOff(value); isBool && check(word) == nil {
			s = word
		}
		if err := check(s); err != nil {
			return err
		}
		*field(c) = s
		return nil
	}
}

// onOff is a YAML 1.1 boolean as the word that was meant.
func onOff(value any) (word string, ok bool) {
	switch value {
	case true:
		return "on", true
	case false:
		return "off", true
	}
	return "", false
}

// later is a setter of a key that this version takes at its default only.
func later(defaults ...any) func(*Config, any) error {
	return func(_ *Config, value any) error {
		if list, ok := value.([]any); ok && len(list) == 0 {
			value = nil
		}
		for _, known := range defaults {
			if value == known || known == "off" && value == false {
				return nil
			}
		}
		return fmt.Errorf("this version does not do this yet; leave the key out")
	}
}

func setWebRTCTCP(c *Config, value any) error {
	on, ok := value.(bool)
	if !ok {
		return fmt.Errorf("want true or false, not %v", value)
	}
	c.WebRTC.TCP = on
	return nil
}

func setAllowPrivate(c *Config, value any) error {
	allow, ok := value.(bool)
	if !ok {
		return fmt.Errorf("want true or false, not %v", value)
	}
	c.Egress.AllowPrivate = allow
	return nil
}

func setAnnounce(c *Config, value any) error {
	list, ok := value.([]any)
	if !ok && value != nil {
		return fmt.Errorf("want a list of addresses, as [203.0.113.4], not %v", value)
	}
	c.WebRTC.Announce = nil
	for _, entry := range list {
		c.WebRTC.Announce = append(c.WebRTC.Announce, fmt.Sprint(entry))
	}
	return nil
}

func setVolumes(c *Config, value any) error {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return fmt.Errorf("want a list of directories, as [./data/dvr]")
	}
	var volumes []string
	for _, entry := range list {
		volume, ok := entry.(string)
		if !ok || volume == "" {
			return fmt.Errorf("want a directory, not %v", entry)
		}
		volume = filepath.Clean(volume)
		for _, other := range volumes {
			if inside(volume, other) || inside(other, volume) {
				return fmt.Errorf("%s and %s overlap; each volume is a directory of its own, on a disk of its own", other, volume)
			}
		}
		volumes = append(volumes, volume)
	}
	c.Storage.Volumes = volumes
	return nil
}

// inside says that a directory is another one, or below it, as they are written.
func inside(dir, other string) bool {
	relative, err := filepath.Rel(other, dir)
	return err == nil && filepath.IsLocal(relative)
}

var sizeForm = regexp.MustCompile(`^([0-9]+) ?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)?$`)

func setReserve(c *Config, value any) error {
	match := sizeForm.FindStringSubmatch(fmt.Sprint(value))
	if match == nil {
		return fmt.Errorf("want a size such as 2GiB, not %v", value)
	}
	units := map[string]int64{
		"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
		"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}
	n, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil || n > (1<<62)/units[match[2]] {
		return fmt.Errorf("%v is too large", value)
	}
	c.Storage.ReserveBytes = n * units[match[2]]
	return nil
}

func notEmpty(s string) error {
	if s == "" {
		return fmt.Errorf("must not be empty")
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func name(s string) error {
	if !nameForm.MatchString(s) {
		return fmt.Errorf("want a name of a-z, 0-9 and -, not %q", s)
	}
	return nil
}

func address(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("want host:port or :port, not %q", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("want a port of 0 to 65535, not %q", port)
	}
	return nil
}

// setDevices takes "all", or a list of cards: cuda:0 or 0.
func setDevices(c *Config, value any) error {
	list, ok := value.([]any)
	if !ok {
		if value == "all" {
			c.GPU.Devices = nil
			return nil
		}
		list = []any{value}
	}
	var names []string
	for _, entry := range list {
		if pair, ok := entry.(map[string]any); ok && len(pair) == 1 && pair["cuda"] != nil {
			entry = pair["cuda"] // how the parser reads [cuda:0]
		}
		number, err := strconv.ParseUint(strings.TrimPrefix(fmt.Sprint(entry), "cuda:"), 10, 8)
		if err != nil {
			return fmt.Errorf("want all, or a list of cards as cuda:0, not %v", entry)
		}
		names = append(names, fmt.Sprintf("cuda:%d", number))
	}
	if len(names) == 0 {
		return fmt.Errorf("want all, or at least one card; to use none, set gpu.policy to never")
	}
	c.GPU.Devices = names
	return nil
}

func tlsMode(s string) error {
	if s == "acme" {
		return fmt.Errorf("this version does not do acme yet; use selfsigned, or files with certificates from elsewhere")
	}
	return oneOf("off", "selfsigned", "files")(s)
}

func optional(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

func oneOf(values ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(values, s) {
			return fmt.Errorf("want one of %s, not %q", strings.Join(values, ", "), s)
		}
		return nil
	}
}
