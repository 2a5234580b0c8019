package appliance

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"millrace/api"
	"millrace/internal/events"
	"millrace/internal/state"
)

const (
	kindWebhook = "webhook"
	webhookMost = 50
	secretBytes = 32
	bothSign    = 24 * time.Hour // after a secret was rotated
)

// storedWebhook is a webhook as it is stored: its secrets sealed.
type storedWebhook struct {
	api.Webhook
	ID        string        `json:"id"`
	CreatedAt api.Timestamp `json:"createdAt"`
	Secret    []byte        `json:"secret"`
	Former    []byte        `json:"former,omitempty"` // the secret before the last rotation
	FormerTo  api.Timestamp `json:"formerTo,omitempty,omitzero"`
}

// webhookConfig is what webhooks are made of.
type webhookConfig struct {
	Vault        *vault
	Bus          *events.Bus
	Now          func() time.Time
	AllowPrivate bool
	Version      string
	Log          *slog.Logger
}

// webhooks send what happens to URLs that somebody named. It implements
// api.Webhooks.
type webhooks struct {
	store  state.Store
	config webhookConfig
	client *http.Client

	mu       sync.Mutex
	byID     map[string]api.Stored[storedWebhook]
	couriers map[string]*courier
	ctx      context.Context // of Run; nil before
}

func openWebhooks(ctx context.Context, store state.Store, config webhookConfig) (*webhooks, error) {
	known, err := loadAll[storedWebhook](ctx, store, kindWebhook)
	if err != nil {
		return nil, err
	}
	w := &webhooks{store: store, config: config, client: newWebhookClient(config.AllowPrivate), byID: known, couriers: map[string]*courier{}}
	for id := range known {
		w.couriers[id] = &courier{hooks: w, id: id}
	}
	return w, nil
}

// Run sends until the context ends.
func (w *webhooks) Run(ctx context.Context) error {
	w.mu.Lock()
	w.ctx = ctx
	for id := range w.couriers {
		w.begin(id)
	}
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	var tasks []*task
	for _, o := range w.couriers {
		tasks = append(tasks, o.task)
		o.task = nil
	}
	w.ctx = nil
	w.mu.Unlock()
	for _, t := range tasks {
		t.stop()
	}
	w.client.CloseIdleConnections()
	return nil
}

// begin sends a webhook's events, if it is switched on; the caller holds mu.
func (w *webhooks) begin(id string) {
	o, hook := w.couriers[id], w.byID[id].Value
	if hook.Disabled {
		o.mu.Lock()
		o.after = ""
		o.mu.Unlock()
	}
	if w.ctx == nil || hook.Disabled || o.task != nil {
		return
	}
	o.task = begin(w.ctx, func(ctx context.Context) { o.run(ctx, events.Filter(hook.Types)) })
}

// view is how a webhook is shown; the caller holds mu.
func (w *webhooks) view(stored api.Stored[storedWebhook]) api.Stored[api.WebhookView] {
	hook := stored.Value
	view := api.WebhookView{Id: hook.ID, Url: hook.Url, Name: hook.Name, Types: hook.Types, Disabled: hook.Disabled, CreatedAt: hook.CreatedAt}
	if o := w.couriers[hook.ID]; o != nil {
		o.mu.Lock()
		view.Waiting, view.Dropped = len(o.waiting), o.dropped
		o.mu.Unlock()
	}
	return api.Stored[api.WebhookView]{Value: view, Revision: stored.Revision}
}

// ListWebhooks implements api.Webhooks.
func (w *webhooks) ListWebhooks() []api.Stored[api.WebhookView] {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]api.Stored[api.WebhookView], 0, len(w.byID))
	for _, hook := range w.byID {
		list = append(list, w.view(hook))
	}
	slices.SortFunc(list, func(x, y api.Stored[api.WebhookView]) int { return cmp.Compare(x.Value.Id, y.Value.Id) })
	return list
}

// GetWebhook implements api.Webhooks.
func (w *webhooks) GetWebhook(id string) (api.Stored[api.WebhookView], error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hook, ok := w.byID[id]
	if !ok {
		return api.Stored[api.WebhookView]{}, api.NotFound("webhook", id)
	}
	return w.view(hook), nil
}

func checkWebhook(hook api.Webhook) error {
	parsed, err := url.Parse(hook.Url)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return api.Invalid(api.Fault{Pointer: "/url", Detail: "it must be http:// or https:// with a host"})
	}
	if parsed.User != nil {
		return api.Invalid(api.Fault{Pointer: "/url", Detail: "a name and password in it would stand in lists and logs; the signature proves who sends"})
	}
	return nil
}

func newSecret() string {
	raw := make([]byte, secretBytes)
	rand.Read(raw) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(raw)
}

func (w *webhooks) seal(id, secret string) []byte {
	return w.config.Vault.sealed(secret, "webhook "+id)
}

// CreateWebhook implements api.Webhooks.
func (w *webhooks) CreateWebhook(ctx context.Context, hook api.Webhook) (api.Stored[api.WebhookView], error) {
	none := api.Stored[api.WebhookView]{}
	if err := checkWebhook(hook); err != nil {
		return none, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID) >= webhookMost {
		return none, api.Conflict("too-many-webhooks", "There are as many webhooks as this node sends.", "Delete one that nobody needs.")
	}
	id, secret := ulid.Make().String(), newSecret()
	made := storedWebhook{Webhook: hook, ID: id, CreatedAt: api.Timestamp{Time: w.config.Now()}, Secret: w.seal(id, secret)}
	stored, err := create(ctx, w.store, kindWebhook, id, made)
	if err != nil {
		return none, err
	}
	w.byID[id], w.couriers[id] = stored, &courier{hooks: w, id: id}
	w.begin(id)
	view := w.view(stored)
	view.Value.Secret = secret
	return view, nil
}

// RotateSecret implements api.Webhooks.
func (w *webhooks) RotateSecret(ctx context.Context, id string) (api.Stored[api.WebhookView], error) {
	secret := newSecret()
	view, err := w.change(ctx, id, api.Match{Any: true}, func(hook *storedWebhook) error {
		hook.Former, hook.FormerTo = hook.Secret, api.Timestamp{Time: w.config.Now().Add(bothSign)}
		hook.Secret = w.seal(id, secret)
		return nil
	})
	if err == nil {
		view.Value.Secret = secret
	}
	return view, err
}

// UpdateWebhook implements api.Webhooks.
func (w *webhooks) UpdateWebhook(ctx context.Context, id string, match api.Match, change func(api.Webhook) (api.Webhook, error)) (api.Stored[api.WebhookView], error) {
	return w.change(ctx, id, match, func(hook *storedWebhook) error {
		changed, err := change(hook.Webhook)
		if err == nil {
			err = checkWebhook(changed)
		}
		hook.Webhook = changed
		return err
	})
}

// change stores a change of a webhook and begins again with it.
func (w *webhooks) change(ctx context.Context, id string, match api.Match, change func(*storedWebhook) error) (api.Stored[api.WebhookView], error) {
	none := api.Stored[api.WebhookView]{}
	w.mu.Lock()
	present, ok := w.byID[id]
	changed := present.Value
	var err error
	switch {
	case !ok:
		err = api.NotFound("webhook", id)
	case !match.Holds(present.Revision):
		err = api.Stale()
	default:
		err = change(&changed)
	}
	var stored api.Stored[storedWebhook]
	if err == nil {
		stored, err = put(ctx, w.store, kindWebhook, id, changed, present.Revision)
	}
	if err != nil {
		w.mu.Unlock()
		return none, err
	}
	w.byID[id] = stored
	ending := w.couriers[id].task
	w.couriers[id].task = nil
	w.mu.Unlock()
	ending.stop() // it asks for its webhook
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.byID[id]; there {
		w.begin(id)
	}
	return w.view(stored), nil
}

// DeleteWebhook implements api.Webhooks.
func (w *webhooks) DeleteWebhook(ctx context.Context, id string, match api.Match) error {
	w.mu.Lock()
	hook, ok := w.byID[id]
	var err error
	switch {
	case !ok:
		err = api.NotFound("webhook", id)
	case !match.Holds(hook.Revision):
		err = api.Stale()
	default:
		err = remove(ctx, w.store, kindWebhook, id, hook.Revision)
	}
	if err != nil {
		w.mu.Unlock()
		return err
	}
	ending := w.couriers[id].task
	delete(w.byID, id)
	delete(w.couriers, id)
	w.mu.Unlock()
	ending.stop()
	return nil
}

// target is where a webhook's events go, and what signs them.
func (w *webhooks) target(id string) (url string, secrets []string, ok bool) {
	w.mu.Lock()
	hook, ok := w.byID[id]
	w.mu.Unlock()
	if !ok || hook.Value.Disabled {
		return "", nil, false
	}
	return hook.Value.Url, w.secrets(hook.Value), true
}

// secrets are those that sign now.
func (w *webhooks) secrets(hook storedWebhook) (secrets []string) {
	sealed := [][]byte{hook.Secret}
	if w.config.Now().Before(hook.FormerTo.Time) {
		sealed = append(sealed, hook.Former)
	}
	for _, one := range sealed {
		secret, err := w.config.Vault.opened(one, "webhook "+hook.ID)
		if err != nil {
			w.config.Log.Error("open secret of webhook", "webhook", hook.ID, "err", err)
			continue
		}
		secrets = append(secrets, secret)
	}
	return secrets
}

// disable switches a webhook off because its receiver wants no more.
func (w *webhooks) disable(ctx context.Context, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hook, ok := w.byID[id]
	if !ok {
		return
	}
	changed := hook.Value
	changed.Disabled = true
	stored, err := put(ctx, w.store, kindWebhook, id, changed, hook.Revision)
	if err != nil {
		w.config.Log.Error("switch webhook off", "webhook", id, "err", err)
		return
	}
	w.config.Log.Info("webhook switched off: its receiver is gone", "webhook", id)
	w.byID[id] = stored
	if t := w.couriers[id].task; t != nil {
		t.cancel() // by the task itself, which nobody waits for until it begins again
	}
}

// TestWebhook implements api.Webhooks.
func (w *webhooks) TestWebhook(ctx context.Context, id string) (api.Delivery, error) {
	w.mu.Lock()
	hook, ok := w.byID[id]
	o := w.couriers[id]
	w.mu.Unlock()
	if !ok {
		return api.Delivery{}, api.NotFound("webhook", id)
	}
	body := `{"type":"webhook.test","timestamp":"` + w.config.Now().Format(time.RFC3339) + `","data":{}}`
	done := w.send(ctx, hook.Value.Url, message{ulid.Make().String(), "webhook.test", []byte(body)}, 1, w.secrets(hook.Value)...)
	o.note(done)
	return done, nil
}

// Deliveries implements api.Webhooks.
func (w *webhooks) Deliveries(id string) ([]api.Delivery, error) {
	w.mu.Lock()
	o, ok := w.couriers[id]
	w.mu.Unlock()
	if !ok {
		return nil, api.NotFound("webhook", id)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	list := slices.Clone(o.log)
	slices.Reverse(list)
	if list == nil {
		list = []api.Delivery{}
	}
	return list, nil
}
