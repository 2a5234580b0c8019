package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"millrace/api"
)

// What YAML takes for something else must come back as it went.
func TestShowsSurviveYAML(t *testing.T) {
	show := api.Show{
		Version:  1,
		Sources:  []api.Source{{Id: "no", Name: "yes: \"é\" \n - x", Kind: "push"}, {Id: "123", Name: "0x1F", Kind: "test"}, {Id: "null", Kind: "push"}},
		Channels: []api.Channel{{Id: "1e3", Program: "off", Dvr: api.DVR{WindowMs: 7_200_000, MaxBytes: 1 << 40}}},
		Audio:    map[string]map[string]api.AudioSettings{"on": {"off": {Mode: "off", GainDb: -6.5}}},
	}
	text, err := json.Marshal(show)
	require.NoError(t, err)
	made, err := yaml.JSONToYAML(text)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "show.yaml")
	require.NoError(t, os.WriteFile(name, made, 0o600))
	read, err := readShow(name)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(read), string(made))
	require.NoError(t, os.WriteFile(name, text, 0o600))
	read, err = readShow(name)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(read), "JSON is taken too")

	_, err = readShow(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "read show")
	require.NoError(t, os.WriteFile(name, []byte("a: [b"), 0o600))
	_, err = readShow(name)
	require.ErrorContains(t, err, "read show")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte(" "), maxShow+1), 0o600))
	_, err = readShow(name)
	require.ErrorContains(t, err, "more than")
}

func TestPlanIsPrinted(t *testing.T) {
	var out bytes.Buffer
	printPlan(&out, api.ImportAnswer{Plan: []api.PlanStep{
		{Action: "create", Kind: "source", Id: "cam2"}, {Action: "change", Kind: "channel", Id: "main", Fields: []string{"name", "dvr"}}, {Action: "delete", Kind: "source", Id: "old"},
	}})
	require.Equal(t, "+ source cam2\n~ channel main: name, dvr\n- source old\n3 changes to make.\n", out.String())
	out.Reset()
	printPlan(&out, api.ImportAnswer{Applied: true})
	require.Equal(t, "Nothing to change.\n", out.String())
}
