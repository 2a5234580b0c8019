//go:build pins

// Package pins keeps the modules that planned packages need in go.mod.
package pins

import (
	_ "github.com/Eyevinn/dash-mpd/mpd"
	_ "github.com/Eyevinn/hls-m3u8/m3u8"
	_ "github.com/Eyevinn/mp4ff/mp4"
	_ "github.com/Shopify/toxiproxy/v2"
	_ "github.com/alecthomas/kong"
	_ "github.com/asticode/go-astiav"
	_ "github.com/asticode/go-astits"
	_ "github.com/bluenviron/gohlslib/v2/pkg/playlist"
	_ "github.com/bluenviron/gortmplib"
	_ "github.com/bluenviron/gortmplib/pkg/amf0"
	_ "github.com/bluenviron/gortmplib/pkg/handshake"
	_ "github.com/bluenviron/gortmplib/pkg/message"
	_ "github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	_ "github.com/coder/websocket"
	_ "github.com/elastic/go-seccomp-bpf"
	_ "github.com/getkin/kin-openapi/openapi3"
	_ "github.com/goccy/go-yaml"
	_ "github.com/haivision/srtgo"
	_ "github.com/labstack/echo/v4"
	_ "github.com/landlock-lsm/go-landlock/landlock"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go/jetstream"
	_ "github.com/oapi-codegen/runtime"
	_ "github.com/oapi-codegen/runtime/strictmiddleware/echo"
	_ "github.com/oklog/ulid/v2"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/stretchr/testify/require"
	_ "go.etcd.io/bbolt"
	_ "go.uber.org/goleak"
	_ "golang.org/x/net/http2"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/time/rate"
)
