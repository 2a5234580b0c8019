package appliance

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"millrace/api"
	"millrace/internal/state"
)

const (
	kindAudit    = "audit"
	auditEntries = 20_000      // kept
	auditBatch   = 500         // entries in one document
	auditEvery   = time.Second // at most, from a change to its entry on the disk
)

// auditDocument is what was changed within a moment, under the id of its first
// entry.
type auditDocument struct {
	Entries []api.AuditEntry `json:"entries"`
}

// auditLog keeps what was changed. Entries are seen at once and go to disk in
// batches: nobody who acts on air waits for it. It implements api.Audit.
type auditLog struct {
	store state.Store
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	entropy io.Reader        // monotonic: ids are in the order of entries
	entries []api.AuditEntry // oldest first
	written int              // of entries, from the start
	batches []auditBatchID   // on disk, oldest first
}

type auditBatchID struct {
	id      string
	entries int
}

func openAudit(ctx context.Context, store state.Store, now func() time.Time, log *slog.Logger) (*auditLog, error) {
	documents, err := loadAll[auditDocument](ctx, store, kindAudit)
	if err != nil {
		return nil, err
	}
	a := &auditLog{store: store, log: log, now: now, entropy: ulid.Monotonic(ulid.DefaultEntropy(), 0)}
	for id, document := range documents {
		a.batches = append(a.batches, auditBatchID{id, len(document.Value.Entries)})
		a.entries = append(a.entries, document.Value.Entries...)
	}
	slices.SortFunc(a.batches, func(x, y auditBatchID) int { return cmp.Compare(x.id, y.id) })
	slices.SortFunc(a.entries, func(x, y api.AuditEntry) int { return cmp.Compare(x.Id, y.Id) })
	a.written = len(a.entries)
	return a, nil
}

// Record implements api.Audit.
func (a *auditLog) Record(entry api.AuditEntry) {
	a.log.Info("audit", "action", entry.Action, "path", entry.Path, "who", cmp.Or(entry.Who.Id, string(entry.Who.Kind)), "from", entry.From)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.entries)-a.written >= auditEntries {
		return // the disk takes nothing; the log has it
	}
	entry.Time = api.Timestamp{Time: a.now()}
	entry.Id = ulid.MustNew(ulid.Timestamp(entry.Time.Time), a.entropy).String()
	a.entries = append(a.entries, entry)
}

// ListAudit implements api.Audit.
func (a *auditLog) ListAudit(before string, limit int, matches func(api.AuditEntry) bool) []api.AuditEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []api.AuditEntry{}
	for _, entry := range slices.Backward(a.entries) {
		if len(list) == limit {
			break
		}
		if (before == "" || entry.Id < before) && matches(entry) {
			list = append(list, entry)
		}
	}
	return list
}

// Run writes entries to disk until the context ends, and then what is left.
func (a *auditLog) Run(ctx context.Context) error {
	ticker := time.NewTicker(auditEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return a.write(context.WithoutCancel(ctx))
		case <-ticker.C:
			if err := a.write(ctx); err != nil {
				a.log.Error("write audit", "err", err)
			}
		}
	}
}

// write puts down what is not on disk yet, and lets go of what is too old.
func (a *auditLog) write(ctx context.Context) error {
	for {
		a.mu.Lock()
		batch := slices.Clone(a.entries[a.written:min(len(a.entries), a.written+auditBatch)])
		a.mu.Unlock()
		if len(batch) == 0 {
			return a.expire(ctx)
		}
		if _, err := create(ctx, a.store, kindAudit, batch[0].Id, auditDocument{batch}); err != nil {
			return fmt.Errorf("write %d audit entries: %w", len(batch), err)
		}
		a.mu.Lock()
		a.written += len(batch)
		a.batches = append(a.batches, auditBatchID{batch[0].Id, len(batch)})
		a.mu.Unlock()
	}
}

func (a *auditLog) expire(ctx context.Context) error {
	for {
		a.mu.Lock()
		if len(a.batches) < 2 || a.written-a.batches[0].entries < auditEntries {
			a.mu.Unlock()
			return nil
		}
		oldest := a.batches[0]
		a.mu.Unlock()
		if err := remove(ctx, a.store, kindAudit, oldest.id, uint64(state.AnyRevision)); err != nil {
			return err
		}
		a.mu.Lock()
		a.batches = a.batches[1:]
		a.entries = slices.Delete(a.entries, 0, oldest.entries)
		a.written -= oldest.entries
		a.mu.Unlock()
	}
}
