package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	bucket       = "millrace"
	maxValue     = 4 << 20 // bytes; a channel with 200 scenes is about 300 kB
	startTimeout = 10 * time.Second
)

// Embedded is a Store inside this process. It owns its directory until Close.
type Embedded struct {
	dir    string
	lock   *os.File
	server *server.Server
	conn   *nats.Conn
	kv     jetstream.KeyValue
}

var _ Store = (*Embedded)(nil)

// OpenEmbedded opens or creates the store under dir. A directory that another
// process holds gives ErrLocked.
func OpenEmbedded(ctx context.Context, dir string) (*Embedded, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create state directory: %w", err)
	}
	lock, err := lockDirectory(dir)
	if err != nil {
		return nil, err
	}
	e := &Embedded{dir: dir, lock: lock}
	if err := e.start(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open state store %s: %w", dir, err), e.Close())
	}
	return e, nil
}

func lockDirectory(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s; stop that one, or use another node.dataDir", ErrLocked, dir)
	}
	return f, nil
}

// Locked gives ErrLocked when a process holds the store under dir, nil when
// none does.
func Locked(dir string) error {
	lock, err := lockDirectory(dir)
	if err != nil {
		return err
	}
	return lock.Close()
}

func (e *Embedded) start(ctx context.Context, dir string) error {
	var err error
	e.server, err = server.NewServer(&server.Options{
		ServerName: "millrace", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: true, DisableJetStreamBanner: true,
		JetStreamMaxMemory: 16 << 20, JetStreamMaxStore: 1 << 30,
	})
	if err != nil {
		return err
	}
	e.server.Start()
	if !e.server.ReadyForConnections(startTimeout) {
		return errors.New("not ready in time")
	}
	if e.conn, err = nats.Connect("", nats.InProcessServer(e.server), nats.Name("millrace")); err != nil {
		return err
	}
	js, err := jetstream.New(e.conn)
	if err != nil {
		return err
	}
	e.kv, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: bucket, History: 1, MaxValueSize: maxValue, Storage: jetstream.FileStorage,
	})
	return err
}

// Close ends the server and frees the directory. It may be called twice.
func (e *Embedded) Close() error {
	if e.lock == nil {
		return nil
	}
	if e.conn != nil {
		e.conn.Close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
	err := e.lock.Close()
	e.lock = nil
	return err
}

func key(kind, id string) string { return kind + "." + id }

// A change is refused while less than this is free. A full disk is no answer to
// JetStream, which then waits for its own time-out, and takes no more changes
// when there is room again.
const (
	leastFree         = 4 << 20 // bytes
	leastFreeToDelete = 1 << 20 // which makes room
)

// room says whether so many bytes are free.
func (e *Embedded) room(bytes int) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(e.dir, &fs); err != nil {
		return fmt.Errorf("measure free space of the state: %w", err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < int64(bytes) {
		return fmt.Errorf("%w: %d KiB free in %s", ErrFull, free>>10, e.dir)
	}
	return nil
}

// Get implements Store.
func (e *Embedded) Get(ctx context.Context, kind, id string) (Document, error) {
	entry, err := e.kv.Get(ctx, key(kind, id))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Document{}, fmt.Errorf("%s %q: %w", kind, id, ErrNotFound)
	}
	if err != nil {
		return Document{}, fmt.Errorf("read %s %q: %w", kind, id, err)
	}
	return Document{kind, id, Revision(entry.Revision()), entry.Value()}, nil
}

// List implements Store.
func (e *Embedded) List(ctx context.Context, kind string) ([]Document, error) {
	watch, err := e.kv.Watch(ctx, key(kind, "*"), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	defer watch.Stop()
	var list []Document
	for {
		select {
		case entry := <-watch.Updates():
			if entry == nil { // all that was stored has been sent
				sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
				return list, nil
			}
			id := strings.TrimPrefix(entry.Key(), kind+".")
			list = append(list, Document{kind, id, Revision(entry.Revision()), entry.Value()})
		case <-ctx.Done():
			return nil, fmt.Errorf("list %s: %w", kind, ctx.Err())
		}
	}
}

// Create implements Store.
func (e *Embedded) Create(ctx context.Context, kind, id string, value []byte) (Revision, error) {
	if err := e.room(leastFree + len(value)); err != nil {
		return 0, fmt.Errorf("create %s %q: %w", kind, id, err)
	}
	rev, err := e.kv.Create(ctx, key(kind, id), value)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, fmt.Errorf("%s %q: %w", kind, id, ErrExists)
	}
	if err != nil {
		return 0, fmt.Errorf("create %s %q: %w", kind, id, err)
	}
	return Revision(rev), nil
}

// Put implements Store.
func (e *Embedded) Put(ctx context.Context, kind, id string, value []byte, at Revision) (Revision, error) {
	if err := e.room(leastFree + len(value)); err != nil {
		return 0, fmt.Errorf("write %s %q: %w", kind, id, err)
	}
	var rev uint64
	var err error
	if at == AnyRevision {
		rev, err = e.kv.Put(ctx, key(kind, id), value)
	} else {
		rev, err = e.kv.Update(ctx, key(kind, id), value, uint64(at))
	}
	if stale(err) {
		return 0, fmt.Errorf("%s %q: %w", kind, id, ErrStale)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s %q: %w", kind, id, err)
	}
	return Revision(rev), nil
}

// Delete implements Store.
func (e *Embedded) Delete(ctx context.Context, kind, id string, at Revision) error {
	if err := e.room(leastFreeToDelete); err != nil {
		return fmt.Errorf("delete %s %q: %w", kind, id, err)
	}
	var options []jetstream.KVDeleteOpt
	if at != AnyRevision {
		options = append(options, jetstream.LastRevision(uint64(at)))
	}
	err := e.kv.Purge(ctx, key(kind, id), options...)
	if stale(err) {
		return fmt.Errorf("%s %q: %w", kind, id, ErrStale)
	}
	if err != nil {
		return fmt.Errorf("delete %s %q: %w", kind, id, err)
	}
	return nil
}

// stale recognises a write that was refused for its revision.
func stale(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		errors.Is(err, jetstream.ErrKeyExists)
}
