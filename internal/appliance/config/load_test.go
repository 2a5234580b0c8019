package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const contractFile = `
node:    {name: a, dataDir: ./data}
control: {listen: ":8080", tls: {mode: off}}
media:   {listen: ":8888", tls: {mode: off}}
ingest:  {rtmp: ":1935", rtmps: "", srt: ":8890"}
webrtc:  {listen: ":8189", tcp: true, announce: []}
gpu:     {policy: prefer, devices: all, isolation: channel}
storage: {volumes: [./data/dvr], reserveBytes: 2GiB, s3: null}
auth:    {mode: on}
cluster: {enabled: false, name: "", routes: [], external: ""}
log:     {level: info, format: text}
`

func TestTheContractsFileIsTheDefault(t *testing.T) {
	loaded, err := Load("millrace.yaml", []byte(contractFile), nil, nil)
	require.NoError(t, err)
	bare, err := Load("", nil, nil, nil)
	require.NoError(t, err)
	require.Equal(t, bare, loaded)
	require.Equal(t, []string{"data/dvr"}, loaded.Storage.Volumes)
}

func TestPrecedence(t *testing.T) {
	file := []byte("log: {level: warn, format: json}\nnode: {name: file}\n")
	env := []string{"MILLRACE_LOG__LEVEL=error", "MILLRACE_NODE__DATADIR=/env", "HOME=/x", "MILLRACE_FFMPEG=/f"}
	loaded, err := Load("f.yaml", file, env, map[string]string{"node.dataDir": "/flag"})
	require.NoError(t, err)
	require.Equal(t, Log{"error", "json"}, loaded.Log)
	require.Equal(t, Node{"file", "/flag"}, loaded.Node)
	require.Equal(t, []string{"/flag/dvr"}, loaded.Storage.Volumes)
}

func TestAllFaultsAtOnceWithTheirPlaces(t *testing.T) {
	file := strings.Join([]string{
		"log: {level: loud}",
		"nodes: {name: x}",
		"cluster: {enabled: true}",
		"ingest:",
		"  rtmp: 1935",
		"  srtt: ':1'",
		"  srt: true",
		"storage: {reserveBytes: lots, volumes: [a, b, a/c]}",
		"control: {tls: {mode: acme}}",
	}, "\n")
	_, err := Load("f.yaml", []byte(file), []string{"MILLRACE_AUTH__MODE=maybe", "MILLRACE_NO__SUCH=1"}, nil)
	require.Error(t, err)
	for _, want := range []string{
		`f.yaml:1: log.level: want one of debug, info, warn, error, not "loud"`,
		`f.yaml:2: nodes.name: unknown key`,
		`f.yaml:3: cluster.enabled: this version does not do this yet`,
		`f.yaml:5: ingest.rtmp: want host:port or :port, not "1935"`,
		`f.yaml:6: ingest.srtt: unknown key; known are ingest.rtmp, ingest.rtmps, ingest.srt`,
		`f.yaml:7: ingest.srt: want host:port or :port, not "true"`,
		`storage.reserveBytes: want a size such as 2GiB, not lots`,
		`storage.volumes: a and a/c overlap`,
		`control.tls.mode: this version does not do acme yet`,
		`MILLRACE_AUTH__MODE: auth.mode: want one of on, off, not "maybe"`,
		`MILLRACE_NO__SUCH: NO.SUCH: unknown key`,
	} {
		require.Contains(t, err.Error(), want)
	}
}

func TestBrokenYAMLNamesItsLine(t *testing.T) {
	_, err := Load("f.yaml", []byte("node:\n\tname: x\n"), nil, nil)
	require.ErrorContains(t, err, "f.yaml")
}

func TestTLSFilesNeedTheirPaths(t *testing.T) {
	_, err := Load("f.yaml", []byte("media: {tls: {mode: files, cert: a.pem}}"), nil, nil)
	require.ErrorContains(t, err, "files needs cert and key")
	loaded, err := Load("f.yaml", []byte("media: {tls: {mode: selfsigned}}"), nil, nil)
	require.NoError(t, err)
	require.Equal(t, "https", loaded.Media.Scheme())
	require.Equal(t, "http", loaded.Control.Scheme())
}

func TestAuthOffBindsToLoopback(t *testing.T) {
	loaded, err := Load("f.yaml", []byte("auth: {mode: off}"), nil, nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", loaded.Control.Listen)
	require.Equal(t, "127.0.0.1:8888", loaded.Media.Listen)
	_, err = Load("f.yaml", []byte("auth: {mode: off}\nmedia: {listen: '0.0.0.0:80'}"), nil, nil)
	require.ErrorContains(t, err, "media.listen: auth is off")
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(contractFile))
	f.Add([]byte("a: [*x, &y {b: c}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Whatever comes, it ends with a configuration or with faults.
		_, _ = Load("f.yaml", text, nil, nil)
	})
}

func TestCardsAreListed(t *testing.T) {
	for text, want := range map[string][]string{
		"all": nil, "cuda:1": {"cuda:1"}, "[cuda:0, 2]": {"cuda:0", "cuda:2"}, "3": {"cuda:3"},
	} {
		loaded, err := Load("f.yaml", []byte("gpu: {devices: "+text+", policy: require}"), nil, nil)
		require.NoError(t, err, text)
		require.Equal(t, GPU{"require", want}, loaded.GPU, text)
	}
	for _, text := range []string{"none", "[]", "[cuda:x]", "[-1]", "[cuda:300]"} {
		_, err := Load("f.yaml", []byte("gpu: {devices: "+text+"}"), nil, nil)
		require.ErrorContains(t, err, "gpu.devices", text)
	}
}
