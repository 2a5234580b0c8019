package appliance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
	generated "millrace/api/client"
)

// The generated client, as a program would use it.
func TestTheGeneratedClient(t *testing.T) {
	node := openNode(t, t.TempDir())
	server, key := serveNode(t, node), newClient(t, node, api.ScopeManage).key
	c, err := generated.NewClientWithResponses(server.URL, generated.WithKey(key))
	require.NoError(t, err)

	made, err := c.CreateSourceWithResponse(t.Context(), &generated.CreateSourceParams{IdempotencyKey: "k1"}, generated.Source{Id: "cam2", Kind: generated.SourceKindPush, Name: "Two"})
	require.NoError(t, err)
	require.Equal(t, 201, made.StatusCode())
	require.NotEmpty(t, made.JSON201.Key)
	changed, err := c.PatchSourceWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), "cam2",
		&generated.PatchSourceParams{IfMatch: made.HTTPResponse.Header.Get("ETag")}, map[string]any{"name": "Stage"})
	require.NoError(t, err)
	require.Equal(t, "Stage", changed.JSON200.Name)
	stale, err := c.PatchSourceWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), "cam2",
		&generated.PatchSourceParams{IfMatch: made.HTTPResponse.Header.Get("ETag")}, map[string]any{"name": "Late"})
	require.NoError(t, err)
	require.Equal(t, "stale", stale.ApplicationproblemJSONDefault.Code)
	list, err := c.ListSourcesWithResponse(t.Context(), &generated.ListSourcesParams{Limit: 2})
	require.NoError(t, err)
	require.Len(t, list.JSON200.Items, 2)
	require.NotEmpty(t, list.JSON200.NextCursor)
	show, err := c.ExportShowWithResponse(t.Context(), &generated.ExportShowParams{})
	require.NoError(t, err)
	same, err := c.ImportShowWithResponse(t.Context(), &generated.ImportShowParams{}, *show.JSON200)
	require.NoError(t, err)
	require.Equal(t, 200, same.StatusCode(), string(same.Body))
	require.Empty(t, same.JSON200.Plan)
	cut, err := c.CutWithResponse(t.Context(), "demo", generated.CutRequest{Scene: "grid"})
	require.NoError(t, err)
	require.Equal(t, "not-running", cut.ApplicationproblemJSONDefault.Code)
}
