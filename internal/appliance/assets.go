package appliance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

	"millrace/api"
	"millrace/internal/state"
)

const (
	kindAsset  = "asset"
	assetCount = 2000
	assetSpare = 1 << 30 // bytes of the disk that uploads leave alone
	partial    = ".part"
)

// assets keeps the files that people uploaded, by id, below one directory. It
// implements api.Assets.
type assets struct {
	store state.Store
	dir   *os.Root
	log   *slog.Logger
	// uses are the channels that name an asset, by asset; naming keeps it so.
	uses   func() map[string][]string
	naming sync.Locker
	looks  sync.Mutex // one picture is decoded at a time: it may take 130 MB

	mu   sync.RWMutex
	byID map[string]api.Stored[api.Asset]
	busy map[string]bool // being uploaded
}

func openAssets(ctx context.Context, store state.Store, dataDir string, log *slog.Logger) (*assets, error) {
	path := filepath.Join(dataDir, "assets")
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("open assets: %w", err)
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open assets: %w", err)
	}
	known, err := loadAll[api.Asset](ctx, store, kindAsset)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	a := &assets{store: store, dir: dir, log: log, byID: known, busy: map[string]bool{}, naming: &sync.Mutex{}, uses: func() map[string][]string { return nil }}
	if err := a.sweep(); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return a, nil
}

// sweep removes what an upload that was cut off has left.
func (a *assets) sweep() error {
	list, err := fs.ReadDir(a.dir.FS(), ".")
	if err != nil {
		return fmt.Errorf("list assets: %w", err)
	}
	for _, entry := range list {
		if _, known := a.byID[entry.Name()]; !known {
			a.log.Info("remove an upload that was cut off", "asset", entry.Name())
			if err := a.dir.Remove(entry.Name()); err != nil {
				return fmt.Errorf("remove asset %q: %w", entry.Name(), err)
			}
		}
	}
	return nil
}

// ListAssets implements api.Assets.
func (a *assets) ListAssets() []api.Stored[api.Asset] {
	uses := a.uses()
	a.mu.RLock()
	defer a.mu.RUnlock()
	list := make([]api.Stored[api.Asset], 0, len(a.byID))
	for id, asset := range a.byID {
		asset.Value.UsedBy = uses[id]
		list = append(list, asset)
	}
	slices.SortFunc(list, func(x, y api.Stored[api.Asset]) int { return cmp.Compare(x.Value.Id, y.Value.Id) })
	return list
}

// GetAsset implements api.Assets.
func (a *assets) GetAsset(id string) (api.Stored[api.Asset], error) {
	asset, err := a.find(id)
	asset.Value.UsedBy = a.uses()[id]
	return asset, err
}

// find is an asset without who uses it.
func (a *assets) find(id string) (api.Stored[api.Asset], error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	asset, ok := a.byID[id]
	if !ok {
		return asset, api.NotFound("asset", id)
	}
	return asset, nil
}

// OpenAsset implements api.Assets.
func (a *assets) OpenAsset(id string) (io.ReadSeekCloser, api.Asset, error) {
	asset, err := a.find(id)
	if err != nil {
		return nil, asset.Value, err
	}
	file, err := a.dir.Open(id)
	if err != nil {
		return nil, asset.Value, fmt.Errorf("open asset %q: %w", id, err)
	}
	return file, asset.Value, nil
}

// CreateAsset implements api.Assets.
func (a *assets) CreateAsset(ctx context.Context, id, name string, digest []byte, body io.Reader) (api.Stored[api.Asset], error) {
	none := api.Stored[api.Asset]{}
	if id == "" {
		id = strings.ToLower(ulid.Make().String())
	}
	if err := a.claim(id); err != nil {
		return none, err
	}
	defer a.release(id)
	asset := api.Asset{Id: id, Name: name, CreatedAt: api.Timestamp{Time: time.Now()}}
	part := id + partial
	defer a.dir.Remove(part) // it is gone when all went well
	if err := a.receive(part, &asset, digest, body); err != nil {
		return none, err
	}
	if err := a.dir.Rename(part, id); err != nil {
		return none, fmt.Errorf("keep asset %q: %w", id, err)
	}
	if err := a.settle(); err != nil {
		return none, errors.Join(err, a.dir.Remove(id))
	}
	stored, err := create(ctx, a.store, kindAsset, id, asset)
	if err != nil {
		return none, errors.Join(err, a.dir.Remove(id))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byID[id] = stored
	return stored, nil
}

// settle makes the names in the directory outlive a power cut.
func (a *assets) settle() error {
	dir, err := a.dir.Open(".")
	if err != nil {
		return fmt.Errorf("open assets: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync assets: %w", err)
	}
	return nil
}

// claim takes an id for an upload.
func (a *assets) claim(id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, exists := a.byID[id]
	switch {
	case exists, a.busy[id]:
		return api.Exists("asset", id)
	case len(a.byID)+len(a.busy) >= assetCount:
		return api.Conflict("too-many-assets", fmt.Sprintf("There are %d assets.", assetCount), "Delete those that nothing uses.")
	}
	a.busy[id] = true
	return nil
}

func (a *assets) release(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, id)
}

func refuseAsset(status int, code, detail, hint string) error {
	return &api.Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Hint: hint}
}

// receive writes a file to disk and fills in what it is.
func (a *assets) receive(part string, asset *api.Asset, digest []byte, body io.Reader) error {
	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(body, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return uploadFault(err)
	}
	var ok bool
	if asset.Kind, asset.Format, ok = recognise(head[:n]); !ok {
		return refuseAsset(http.StatusUnsupportedMediaType, "media-type", "This is no PNG, JPEG, WebP, MP4, MPEG-TS, TrueType or OpenType file.", "Convert it first.")
	}
	file, err := a.dir.OpenFile(part, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("store asset %q: %w", asset.Id, err)
	}
	defer file.Close()
	limit := sizeLimit(asset.Kind)
	sum := sha256.New()
	whole := io.LimitReader(io.MultiReader(bytes.NewReader(head[:n]), body), limit+1)
	if asset.Bytes, err = io.Copy(io.MultiWriter(careful{file}, sum), whole); err != nil {
		return uploadFault(err)
	}
	asset.Sha256 = hex.EncodeToString(sum.Sum(nil))
	switch {
	case asset.Bytes > limit:
		return refuseAsset(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("A %s may have %d bytes.", asset.Kind, limit), "Make it smaller.")
	case digest != nil && !bytes.Equal(digest, sum.Sum(nil)):
		return refuseAsset(http.StatusBadRequest, "bad-digest", "What arrived is not what was sent: its SHA-256 is "+asset.Sha256+".", "Send it again.")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read asset %q: %w", asset.Id, err)
	}
	a.looks.Lock()
	err = examine(asset, file)
	a.looks.Unlock()
	if err != nil {
		return refuseAsset(http.StatusUnprocessableEntity, "bad-file", "The file cannot be used: "+err.Error()+".", "")
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("store asset %q: %w", asset.Id, err)
	}
	return nil
}

// uploadFault words why a file did not arrive whole.
func uploadFault(err error) error {
	var refused *api.Problem
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &large):
		return refuseAsset(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("A file may have %d bytes.", large.Limit), "")
	case errors.Is(err, unix.ENOSPC):
		return refuseAsset(http.StatusInsufficientStorage, "disk-full", "The disk is full.", "Free space and send it again.")
	}
	return refuseAsset(http.StatusBadRequest, "bad-request", "The file did not arrive whole.", "Send it again.")
}

// careful writes as long as the disk has room for others.
type careful struct{ file *os.File }

func (c careful) Write(p []byte) (int, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(c.file.Fd()), &fs); err == nil && int64(fs.Bavail)*fs.Bsize < assetSpare {
		return 0, refuseAsset(http.StatusInsufficientStorage, "disk-full", "The disk with the data directory is almost full.", "Free space and send it again.")
	}
	return c.file.Write(p)
}

// DeleteAsset implements api.Assets.
func (a *assets) DeleteAsset(ctx context.Context, id string, match api.Match) error {
	a.naming.Lock()
	defer a.naming.Unlock()
	uses := a.uses()
	asset, err := a.find(id)
	switch {
	case err != nil:
		return err
	case !match.Holds(asset.Revision):
		return api.Stale()
	}
	if users := uses[id]; len(users) > 0 {
		return api.Conflict("in-use", fmt.Sprintf("The asset %q is used by %s.", id, strings.Join(users, ", ")), "Take it out there first.")
	}
	if err := remove(ctx, a.store, kindAsset, id, asset.Revision); err != nil { // mu is free: workers that start ask for pictures
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byID, id)
	if err := a.dir.Remove(id); err != nil {
		a.log.Warn("remove file of deleted asset", "asset", id, "err", err) // the next start does
	}
	return nil
}
