// Package config reads what a node is told about itself: defaults, then
// millrace.yaml, then MILLRACE_SECTION__KEY variables, then flags. It reports
// all faults at once, each with its place.
package config

import (
	"net"
	"time"
)

// Config holds facts of the node only; the show lives in the state store.
type Config struct {
	Node    Node
	Control Listener
	Media   Listener
	Ingest  Ingest
	WebRTC  WebRTC
	GPU     GPU
	Storage Storage
	Auth    Auth
	Egress  Egress
	Log     Log
}

// Node names this machine and its data.
type Node struct {
	Name    string
	DataDir string
}

// Listener is an HTTP listener.
type Listener struct {
	Listen string // host:port
	TLS    TLS
}

// TLS says where a listener's certificate comes from.
type TLS struct {
	Mode      string // off, selfsigned or files
	Cert, Key string // of files: PEM
}

// Scheme is that of the listener's URLs.
func (l Listener) Scheme() string {
	if l.TLS.Mode == "off" {
		return "http"
	}
	return "https"
}

// Ingest is where publishers connect; an empty address turns a protocol off.
type Ingest struct {
	RTMP string // TCP host:port
	SRT  string // UDP host:port
}

// WebRTC is the port of guests and viewers.
type WebRTC struct {
	Listen   string   // UDP host:port; empty turns WebRTC off
	TCP      bool     // ICE-TCP on the same number
	Announce []string // addresses at which the port is reached from outside
}

// GPU says whether a card must be used, may be, or must not.
type GPU struct {
	Policy  string   // prefer, require or never
	Devices []string // names of cards; empty is all
}

// Storage is where the DVR lives.
type Storage struct {
	Volumes      []string // directories, over which every channel is spread
	ReserveBytes int64    // free space that is left alone on each
}

// Auth says whether keys are asked for. Off binds the HTTP listeners to loopback.
type Auth struct {
	Mode string // on or off
}

// Egress is where the node goes by itself: webhooks and pulls.
type Egress struct {
	AllowPrivate bool // private networks and this machine too
}

// Log says what is logged and how.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // text or json
}

// Default is the configuration without a file.
func Default() Config {
	return Config{
		Node:    Node{Name: "a", DataDir: "./data"},
		Control: Listener{Listen: ":8080", TLS: TLS{Mode: "off"}},
		Media:   Listener{Listen: ":8888", TLS: TLS{Mode: "off"}},
		Ingest:  Ingest{RTMP: ":1935", SRT: ":8890"},
		WebRTC:  WebRTC{Listen: ":8189", TCP: true},
		GPU:     GPU{Policy: "prefer"},
		Storage: Storage{ReserveBytes: 2 << 30},
		Auth:    Auth{Mode: "on"},
		Log:     Log{Level: "info", Format: "text"},
	}
}

// ShutdownGrace is how long a stopping node lets channels finish what they hold.
const ShutdownGrace = 10 * time.Second

// loopback reports whether an address is bound to this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
