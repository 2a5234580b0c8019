package appliance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"millrace/api"
	"millrace/ingest/clip"
	"millrace/ingest/pull"
)

// view is how a source is shown; the key is in it only where it was asked for.
// The caller holds mu.
func (s *sources) view(entry *source, withKey bool) api.Stored[api.SourceView] {
	document := entry.stored.Value
	view := api.SourceView{
		Id: document.Id, Name: document.Name, Kind: api.SourceViewKind(document.Kind), LatencyMs: document.LatencyMs,
		Clock: api.SourceViewClock(document.Clock), OnLoss: document.OnLoss, Test: document.Test, Asset: document.Asset, File: document.File, SrtEncrypted: entry.passphrase != "", State: api.SourceStateLive,
	}
	if document.Kind == api.SourceKindStill && s.asset(document.Asset, api.Image) != "" {
		view.State = api.SourceStateError
	}
	if entry.feed != nil {
		view.State = api.SourceState(entry.feed.State().State)
		view.Url = pull.Redacted(entry.url)
		if entry.player != nil {
			view.Player = playerOf(entry.player.Status())
		}
		if withKey && document.Kind == api.SourceKindPush {
			view.Key = entry.key
			view.Ingest = s.addresses(document.Id, entry.key)
		}
	}
	return api.Stored[api.SourceView]{Value: view, Revision: entry.stored.Revision}
}

// ListSources implements api.Sources.
func (s *sources) ListSources() []api.Stored[api.SourceView] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]api.Stored[api.SourceView], 0, len(s.byID))
	for _, entry := range s.byID {
		list = append(list, s.view(entry, false))
	}
	slices.SortFunc(list, func(a, b api.Stored[api.SourceView]) int { return cmp.Compare(a.Value.Id, b.Value.Id) })
	return list
}

// find is the source of an id; the caller holds mu.
func (s *sources) find(id string) (*source, error) {
	entry, ok := s.byID[id]
	if !ok {
		return nil, api.NotFound("source", id)
	}
	return entry, nil
}

// GetSource implements api.Sources.
func (s *sources) GetSource(id string) (api.Stored[api.SourceView], error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry, err := s.find(id)
	if err != nil {
		return api.Stored[api.SourceView]{}, err
	}
	return s.view(entry, false), nil
}

// check finds what the document's schema cannot.
func (s *sources) check(document api.Source) error {
	var faults []api.Fault
	fault := func(pointer, detail string) { faults = append(faults, api.Fault{Pointer: pointer, Detail: detail}) }
	if document.Kind != api.SourceKindPush && document.SrtPassphrase != "" {
		fault("/srtPassphrase", fmt.Sprintf("only a source of kind push has one; this is a %s", document.Kind))
	}
	if document.Kind != api.SourceKindTest && document.Test != (api.TestSettings{}) {
		fault("/test", "only a source of kind test has a pattern")
	}
	if document.Kind != api.SourceKindFile && document.File != (api.FileSettings{}) {
		fault("/file", "only a source of kind file plays one")
	}
	kind, shows := map[api.SourceKind]api.AssetKind{api.SourceKindStill: api.Image, api.SourceKindFile: api.Video}[document.Kind]
	switch {
	case !shows && document.Asset != "":
		fault("/asset", "only a source of kind file or still has an asset")
	case shows && document.Asset == "":
		fault("/asset", fmt.Sprintf("a source of kind %s needs an asset; upload it first, by POST /v1/assets", document.Kind))
	case shows:
		if why := s.asset(document.Asset, kind); why != "" {
			fault("/asset", why)
		}
	}
	switch why := pullFault(document.Url); {
	case document.Url != "" && document.Kind != api.SourceKindPull:
		fault("/url", "only a source of kind pull has one")
	case why != "":
		fault("/url", why)
	}
	if len(faults) > 0 {
		return api.Invalid(faults...)
	}
	return nil
}

// seal makes the stored form of a document.
func (s *sources) seal(document api.Source, key string) storedSource {
	stored := storedSource{
		Source: document, SealedKey: s.vault.sealed(key, "key of "+document.Id),
		SealedPassphrase: s.vault.sealed(document.SrtPassphrase, "passphrase of "+document.Id),
	}
	if document.Url != "" {
		stored.SealedURL = s.vault.sealed(document.Url, "url of "+document.Id)
	}
	stored.SrtPassphrase, stored.Url = "", ""
	return stored
}

// CreateSource implements api.Sources.
func (s *sources) CreateSource(ctx context.Context, document api.Source) (api.Stored[api.SourceView], error) {
	if document.Kind == api.SourceKindPull && document.Url == "" {
		return api.Stored[api.SourceView]{}, api.Invalid(api.Fault{Pointer: "/url", Detail: "a source of kind pull needs the address of its feed"})
	}
	return s.make(ctx, document, "")
}

// make stores a new source; an empty key is a new one.
func (s *sources) make(ctx context.Context, document api.Source, key string) (api.Stored[api.SourceView], error) {
	if err := s.check(document); err != nil {
		return api.Stored[api.SourceView]{}, err
	}
	view, err := s.enter(ctx, &source{key: cmp.Or(key, newKey()), passphrase: document.SrtPassphrase, url: document.Url}, document)
	if err == nil {
		s.changed(ctx, document.Id)
	}
	return view, err
}

func (s *sources) enter(ctx context.Context, entry *source, document api.Source) (api.Stored[api.SourceView], error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var err error
	if entry.stored, err = create(ctx, s.store, kindSource, document.Id, s.seal(document, entry.key)); err != nil {
		return api.Stored[api.SourceView]{}, err
	}
	s.mu.Lock()
	s.add(entry)
	defer s.mu.Unlock()
	return s.view(entry, true), nil
}

// UpdateSource implements api.Sources.
func (s *sources) UpdateSource(ctx context.Context, id string, match api.Match, change func(api.Source) (api.Source, error)) (api.Stored[api.SourceView], error) {
	view, err := s.update(ctx, id, func(entry *source) (api.Source, string, error) {
		if !match.Holds(entry.stored.Revision) {
			return api.Source{}, "", api.Stale()
		}
		present := entry.stored.Value.Source
		present.SrtPassphrase, present.Url = entry.passphrase, entry.url
		changed, err := change(present)
		if err != nil {
			return changed, "", err
		}
		if changed.Kind != present.Kind {
			return changed, "", api.Invalid(api.Fault{Pointer: "/kind", Detail: "the kind of a source never changes; make a new source"})
		}
		return changed, entry.key, s.check(changed)
	})
	return view, err
}

// RotateKey implements api.Sources.
func (s *sources) RotateKey(ctx context.Context, id string) (api.Stored[api.SourceView], error) {
	view, err := s.update(ctx, id, func(entry *source) (api.Source, string, error) {
		document := entry.stored.Value.Source
		document.SrtPassphrase, document.Url = entry.passphrase, entry.url
		return document, newKey(), nil
	})
	if err != nil {
		return view, err
	}
	return s.withKey(id)
}

// RevealKey implements api.Sources.
func (s *sources) RevealKey(_ context.Context, id string) (api.Stored[api.SourceView], error) {
	return s.withKey(id)
}

// restore makes a source as it was exported; an empty key or passphrase stays.
func (s *sources) restore(ctx context.Context, document api.Source, key string) error {
	_, err := s.update(ctx, document.Id, func(entry *source) (api.Source, string, error) {
		document.SrtPassphrase, document.Url = cmp.Or(document.SrtPassphrase, entry.passphrase), cmp.Or(document.Url, entry.url)
		return document, cmp.Or(key, entry.key), nil
	})
	return err
}

// ownerOf says which source has a key.
func (s *sources) ownerOf(key string) (id string, taken bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, taken = s.byKey[hashKey(key)]
	return id, taken
}

func (s *sources) withKey(id string) (api.Stored[api.SourceView], error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry, err := s.find(id)
	if err != nil {
		return api.Stored[api.SourceView]{}, err
	}
	return s.view(entry, true), nil
}

// update stores what change makes of a source, with its key, and applies it.
func (s *sources) update(ctx context.Context, id string, change func(*source) (api.Source, string, error)) (api.Stored[api.SourceView], error) {
	view, err := s.replace(ctx, id, change)
	if err == nil {
		s.changed(ctx, id)
	}
	return view, err
}

func (s *sources) replace(ctx context.Context, id string, change func(*source) (api.Source, string, error)) (api.Stored[api.SourceView], error) {
	none := api.Stored[api.SourceView]{}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	entry, err := s.find(id)
	s.mu.RUnlock()
	if err != nil {
		return none, err
	}
	document, key, err := change(entry)
	if err != nil {
		return none, err
	}
	stored, err := put(ctx, s.store, kindSource, id, s.seal(document, key), entry.stored.Revision)
	if err != nil {
		return none, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byKey, hashKey(entry.key))
	s.byKey[hashKey(key)] = id
	reload := entry.player != nil && entry.stored.Value.Asset != document.Asset
	moved := entry.puller != nil && entry.url != document.Url
	entry.stored, entry.key, entry.passphrase, entry.url = stored, key, document.SrtPassphrase, document.Url
	if moved {
		entry.puller.Again()
	}
	if reload {
		entry.player.Do(clip.Load)
	}
	if entry.feed != nil {
		entry.feed.SetLatency(time.Duration(document.LatencyMs) * time.Millisecond)
		entry.feed.SetSenderClock(document.Clock == api.SourceClockSender)
	}
	return s.view(entry, false), nil
}

// DeleteSource implements api.Sources.
func (s *sources) DeleteSource(ctx context.Context, id string, match api.Match) error {
	entry, err := s.forget(ctx, id, match)
	if err != nil {
		return err
	}
	if entry.feed != nil {
		entry.feed.Kick(errDeleted)
	}
	entry.running.stop()
	s.changed(ctx, id)
	return nil
}

// forget removes a source that no channel has.
func (s *sources) forget(ctx context.Context, id string, match api.Match) (*source, error) {
	s.naming.Lock()
	defer s.naming.Unlock()
	if channel := s.usedBy(id); channel != "" {
		return nil, api.Conflict("in-use", fmt.Sprintf("The channel %q has this source.", channel), "Take it out of the channel's sources first.")
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	entry, err := s.find(id)
	s.mu.RUnlock()
	if err == nil && !match.Holds(entry.stored.Revision) {
		err = api.Stale()
	}
	if err == nil {
		err = remove(ctx, s.store, kindSource, id, entry.stored.Revision)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
	delete(s.byKey, hashKey(entry.key))
	return entry, nil
}

// KickSource implements api.Sources.
func (s *sources) KickSource(_ context.Context, id string) error {
	s.mu.RLock()
	entry, err := s.find(id)
	s.mu.RUnlock()
	if err == nil && entry.feed != nil {
		entry.feed.Kick(errKicked)
	}
	return err
}
