package appliance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"millrace/api"
	"millrace/internal/state"
)

// The local socket lies in the data directory, where only the node's owner can
// open it; who can may do everything. The command line uses it while the node
// runs.
const localSocket = "control.sock"

func (n *Node) serveLocal(ctx context.Context) error {
	listener, err := listenLocal(n.config.Node.DataDir)
	if err != nil {
		return err
	}
	return serveHTTP(ctx, listener, controlServer(n.local, n.log))
}

// viaDirectory names a file in dir by a short path: addresses of unix sockets
// are at most 107 bytes long.
func viaDirectory(dir *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name)
}

func listenLocal(dataDir string) (net.Listener, error) {
	dir, err := os.Open(dataDir)
	if err != nil {
		return nil, fmt.Errorf("open local socket: %w", err)
	}
	defer dir.Close()
	// The state lock says that no other node lives here: an old socket is stale.
	if err := os.Remove(filepath.Join(dataDir, localSocket)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open local socket: %w", err)
	}
	listener, err := net.Listen("unix", viaDirectory(dir, localSocket))
	if err != nil {
		return nil, fmt.Errorf("open local socket: %w", err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(filepath.Join(dataDir, localSocket), 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("protect local socket: %w", err)
	}
	return listener, nil
}

// localTimeout is how long the command line waits for a running node.
const localTimeout = time.Minute

// CreateToken makes an API key, through the running node if there is one, else
// in its state directly.
func CreateToken(ctx context.Context, dataDir string, request api.KeyRequest) (api.KeyView, error) {
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return api.KeyView{}, fmt.Errorf("make directory %s: %w; name the data directory of your node with --config or --data", dataDir, err)
	}
	store, err := state.OpenEmbedded(ctx, filepath.Join(dataDir, "state"))
	if errors.Is(err, state.ErrLocked) {
		return createTokenRunning(ctx, dataDir, request)
	}
	if err != nil {
		return api.KeyView{}, err
	}
	defer store.Close()
	keys, err := openAccess(ctx, store)
	if err != nil {
		return api.KeyView{}, err
	}
	made, err := keys.CreateKey(ctx, request)
	return made.Value, err
}

func createTokenRunning(ctx context.Context, dataDir string, request api.KeyRequest) (made api.KeyView, err error) {
	return made, askRunning(ctx, dataDir, http.MethodPost, "/v1/keys", request, &made)
}

// askRunning sends a request to the node that runs on a data directory and reads
// its answer into answer. A nil body is none.
func askRunning(ctx context.Context, dataDir, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, localTimeout)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://local"+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dir, err := os.Open(dataDir)
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		return new(net.Dialer).DialContext(ctx, "unix", viaDirectory(dir, localSocket))
	}}}
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("ask the running node: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		var problem api.Problem
		if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
			return fmt.Errorf("ask the running node: HTTP status %d", response.StatusCode)
		}
		return &problem
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// ErrNotRunning says that there is no node to ask.
var ErrNotRunning = errors.New("no node runs here; start it, or name its data directory with --config or --data")

// Export is the show of the node that runs on a data directory, as JSON.
func Export(ctx context.Context, dataDir string, secrets bool) (text json.RawMessage, err error) {
	if err := running(dataDir); err != nil {
		return nil, err
	}
	return text, askRunning(ctx, dataDir, http.MethodGet, fmt.Sprintf("/v1/export?secrets=%t", secrets), nil, &text)
}

// Apply makes the show of the node that runs on a data directory as the JSON
// document says, or only says what would change.
func Apply(ctx context.Context, dataDir string, show []byte, dry, prune bool) (answer api.ImportAnswer, err error) {
	if err := running(dataDir); err != nil {
		return answer, err
	}
	return answer, askRunning(ctx, dataDir, http.MethodPost, fmt.Sprintf("/v1/import?dryRun=%t&prune=%t", dry, prune), json.RawMessage(show), &answer)
}

// Healthcheck succeeds while the node that runs on a data directory answers.
func Healthcheck(ctx context.Context, dataDir string) error {
	if err := running(dataDir); err != nil {
		return err
	}
	var system api.System
	return askRunning(ctx, dataDir, http.MethodGet, "/v1/system", nil, &system)
}

func running(dataDir string) error {
	dir := filepath.Join(dataDir, "state")
	if _, err := os.Stat(dir); err != nil || !errors.Is(state.Locked(dir), state.ErrLocked) {
		return ErrNotRunning
	}
	return nil
}
