package appliance

import (
	"os"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// What the board and the rules ask for must be what the node shows.
func TestMonitoringKnowsTheNodesMetrics(t *testing.T) {
	node := openNode(t, t.TempDir())
	known := map[string]bool{}
	name := regexp.MustCompile(`\bmillrace_[a-z_]+\b`)
	for _, found := range name.FindAllString(client{t, node, newClient(t, node, "view").key}.must(200, "GET", "/metrics", "").body, -1) {
		known[found] = true
	}
	source, err := os.ReadFile("metrics.go") // those of channels are shown while one runs
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`newMetric\(\w+, "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		known["millrace_"+match[1]] = true
	}
	for _, file := range []string{"board.json", "rules.yaml", "rules_test.yaml"} {
		text, err := os.ReadFile("../../docker/grafana/" + file)
		require.NoError(t, err)
		for _, asked := range name.FindAllString(string(text), -1) {
			require.True(t, known[asked], "%s asks for %s", file, asked)
		}
	}
	for _, file := range []string{"compose.yaml", "compose.gpu.yaml", "deb/nfpm.yaml", "deb/millrace.yaml", "grafana/rules.yaml", "grafana/board.json", "helm/millrace/Chart.yaml", "helm/millrace/values.yaml"} {
		text, err := os.ReadFile("../../docker/" + file)
		require.NoError(t, err)
		var document map[string]any
		require.NoError(t, yaml.Unmarshal(text, &document), file)
	}
}

func TestMeminfo(t *testing.T) {
	text := "MemTotal:       16384 kB\nMemAvailable:    2048 kB\nHugePages_Total:       0\n"
	require.EqualValues(t, 2<<20, meminfo(text, "MemAvailable"))
	require.Zero(t, meminfo(text, "Nothing"))
	require.Zero(t, meminfo("MemAvailable: x kB", "MemAvailable"))
	for _, check := range checkSystem() {
		require.NotEmpty(t, check.Detail, check.Name)
	}
}
