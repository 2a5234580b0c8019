package appliance

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"millrace/api"
	"millrace/internal/state"
)

const (
	kindAnswer = "answer"
	answerLife = 24 * time.Hour
	answerMost = 500       // kept
	answerSize = 256 << 10 // bytes; a larger one is not kept
)

// storedAnswer is what a request with an Idempotency-Key was answered.
type storedAnswer struct {
	At     api.Timestamp `json:"at"`
	Sealed []byte        `json:"sealed"`
}

// memory keeps answers, sealed. It implements api.Memory.
type memory struct {
	store state.Store
	vault *vault

	mu      sync.Mutex
	answers map[string]api.Stored[storedAnswer]
}

func openMemory(ctx context.Context, store state.Store, vault *vault) (*memory, error) {
	answers, err := loadAll[storedAnswer](ctx, store, kindAnswer)
	if err != nil {
		return nil, err
	}
	return &memory{store: store, vault: vault, answers: answers}, nil
}

// Remember implements api.Memory.
func (m *memory) Remember(ctx context.Context, id string, answer []byte) error {
	if len(answer) > answerSize {
		return fmt.Errorf("keep answer: it has %d bytes, more than %d", len(answer), answerSize)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.forget(ctx); err != nil {
		return err
	}
	kept := storedAnswer{At: api.Timestamp{Time: time.Now()}, Sealed: m.vault.sealed(string(answer), "answer "+id)}
	stored, err := put(ctx, m.store, kindAnswer, id, kept, uint64(state.AnyRevision))
	if err == nil {
		m.answers[id] = stored
	}
	return err
}

// forget makes room for one more; the caller holds mu.
func (m *memory) forget(ctx context.Context) error {
	var ids []string
	for id := range m.answers {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int { return m.answers[x].Value.At.Compare(m.answers[y].Value.At.Time) })
	for i, id := range ids {
		if len(ids)-i < answerMost && time.Since(m.answers[id].Value.At.Time) < answerLife {
			return nil
		}
		if err := remove(ctx, m.store, kindAnswer, id, uint64(state.AnyRevision)); err != nil {
			return err
		}
		delete(m.answers, id)
	}
	return nil
}

// Recall implements api.Memory.
func (m *memory) Recall(id string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, ok := m.answers[id]
	if !ok || time.Since(kept.Value.At.Time) > answerLife {
		return nil, false
	}
	text, err := m.vault.opened(kept.Value.Sealed, "answer "+id)
	return []byte(text), err == nil
}
