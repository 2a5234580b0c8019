package api

import (
	"context"
	"io"
	"time"
)

// Stored is a value with the revision that its ETag shows.
type Stored[T any] struct {
	Value    T
	Revision uint64
}

// Match is a parsed If-Match header.
type Match struct {
	Any      bool // "*"
	Revision uint64
}

// Holds reports whether a change may go on over the given revision.
func (m Match) Holds(revision uint64) bool { return m.Any || m.Revision == revision }

// Backend is the appliance as the API sees it. Methods return a *Problem where
// the caller is at fault, any other error where the appliance is. All are safe
// for concurrent use and return after a change is both stored and in effect.
type Backend interface {
	Sources
	Channels
	Live
	Recordings
	Clips
	Jobs
	ShowLog
	Access
	Users
	Audit
	Memory
	Alarms
	ShowFile
	Assets
	Webhooks
	System() System
	// Figures are those of the last hour that are newer than since, oldest first.
	Figures(since time.Time) []Figures
	Capabilities() Capabilities
}

// Sources keeps the inputs.
type Sources interface {
	ListSources() []Stored[SourceView]
	GetSource(id string) (Stored[SourceView], error)
	// CreateSource, RotateKey and RevealKey answer with the key in the view.
	CreateSource(context.Context, Source) (Stored[SourceView], error)
	RotateKey(ctx context.Context, id string) (Stored[SourceView], error)
	RevealKey(ctx context.Context, id string) (Stored[SourceView], error)
	// UpdateSource stores what change makes of the present document, which
	// has its secrets filled in.
	UpdateSource(ctx context.Context, id string, match Match, change func(Source) (Source, error)) (Stored[SourceView], error)
	DeleteSource(ctx context.Context, id string, match Match) error
	SourceThumbnail(ctx context.Context, id string) ([]byte, error)
	SourceStats(id string) (SourceStats, error)
	KickSource(ctx context.Context, id string) error
	// PlayFile gives an order to the player of a file source.
	PlayFile(id string, order PlayerOrder) (Player, error)
}

// Channels keeps the programs.
type Channels interface {
	ListChannels() []Stored[Channel]
	GetChannel(id string) (Stored[Channel], error)
	// ChannelFaults finds what is wrong with a document beyond its schema.
	ChannelFaults(Channel) []Fault
	CreateChannel(context.Context, Channel) (Stored[Channel], error)
	UpdateChannel(ctx context.Context, id string, match Match, change func(Channel) (Channel, error)) (Stored[Channel], error)
	DeleteChannel(ctx context.Context, id string, match Match) error
	StartChannel(ctx context.Context, id string) (ChannelState, error)
	StopChannel(ctx context.Context, id string) (ChannelState, error)
	ChannelState(id string) (ChannelState, error)
}

// Take is what is done on one frame; what is nil stays as it is. At most one of
// Frame and Time is set; neither means the next tick.
type Take struct {
	Frame  int64
	Time   time.Time
	Expect string // the scene that must be on program; "" is any

	Preview  *string // the scene to put on preview, before anything else
	Program  *string // the scene to bring on program; "" is the preview's
	Overlays map[string]bool
	Black    *Fade

	Auto       bool       // Program comes by a transition instead of a cut
	TBar       *float64   // Program comes by hand, which is at this position, 0..1
	Transition Transition // of Auto and TBar; without a type or colour it has the channel's
	DurationMs *int       // of Auto; nil is the channel's
}

// Fade takes the whole program to black, or back.
type Fade struct {
	On         *bool // nil is the other way than now
	DurationMs int
}

// Live acts on what is on air.
type Live interface {
	Take(ctx context.Context, channel string, take Take) (LiveAnswer, error)
	Multiview(channel string) (Multiview, error)
	Audio(channel string) (AudioMap, error)
	// UpdateAudio changes strips in one tick; a source that the change leaves out
	// goes back to the defaults.
	UpdateAudio(ctx context.Context, channel string, change func(AudioMap) (AudioMap, error)) (AudioMap, error)
}

// Recordings keeps what is recorded of channels. Lists are by id, which is by
// age.
type Recordings interface {
	StartRecording(ctx context.Context, channel string, request RecordingRequest) (Stored[Recording], error)
	StopRecording(ctx context.Context, id string) (Stored[Recording], error)
	ListRecordings(Filter) []Stored[Recording]
	GetRecording(id string) (Stored[Recording], error)
	UpdateRecording(ctx context.Context, id string, match Match, change func(Titles) (Titles, error)) (Stored[Recording], error)
	DeleteRecording(ctx context.Context, id string, match Match) error
}

// Clips keeps pieces of channels, likewise.
type Clips interface {
	CreateClip(context.Context, ClipRequest) (Stored[Clip], error)
	ListClips(Filter) []Stored[Clip]
	GetClip(id string) (Stored[Clip], error)
	UpdateClip(ctx context.Context, id string, match Match, change func(Titles) (Titles, error)) (Stored[Clip], error)
	DeleteClip(ctx context.Context, id string, match Match) error
}

// Jobs tells how far long work is, oldest first.
type Jobs interface {
	ListJobs() []Job
	GetJob(id string) (Job, error)
}

// ShowLog is what was done on a channel's air, and what its store holds.
type ShowLog interface {
	// Timeline takes the zero time for an end that is not named.
	Timeline(channel string, from, to time.Time) (Timeline, error)
	TimelineEDL(channel string, from, to time.Time) ([]byte, error)
	TimelineVTT(channel string, from, to time.Time) ([]byte, error)
	Mark(ctx context.Context, channel, text string, at time.Time) (ShowEvent, error)
}

// Access keeps keys and sessions. Secrets are stored as hashes.
type Access interface {
	ListKeys() []Stored[KeyView]
	GetKey(id string) (Stored[KeyView], error)
	CreateKey(context.Context, KeyRequest) (Stored[KeyView], error)
	DeleteKey(ctx context.Context, id string, match Match) error
	// KeyHolder is who holds a bearer key; ok is false for no such key.
	KeyHolder(key string) (holder Identity, ok bool)
	// OpenSession exchanges a key, a one-time token or a user's password for a
	// session.
	OpenSession(ctx context.Context, request SessionRequest) (session string, holder Identity, err error)
	// SessionHolder is who holds a session; a session that is used goes on.
	SessionHolder(session string) (holder Identity, ok bool)
	CloseSession(ctx context.Context, session string) error
}

// Assets keeps files that people uploaded.
type Assets interface {
	ListAssets() []Stored[Asset]
	GetAsset(id string) (Stored[Asset], error)
	// CreateAsset reads the file to its end; it is there, and on disk, when that
	// returns. A digest that is not nil is held against what was read.
	CreateAsset(ctx context.Context, id, name string, sha256 []byte, file io.Reader) (Stored[Asset], error)
	DeleteAsset(ctx context.Context, id string, match Match) error
	// OpenAsset is the file; the caller closes it.
	OpenAsset(id string) (io.ReadSeekCloser, Asset, error)
}

// Webhooks has events sent to others.
type Webhooks interface {
	ListWebhooks() []Stored[WebhookView]
	GetWebhook(id string) (Stored[WebhookView], error)
	// CreateWebhook and RotateSecret answer with the secret in the view.
	CreateWebhook(context.Context, Webhook) (Stored[WebhookView], error)
	RotateSecret(ctx context.Context, id string) (Stored[WebhookView], error)
	UpdateWebhook(ctx context.Context, id string, match Match, change func(Webhook) (Webhook, error)) (Stored[WebhookView], error)
	DeleteWebhook(ctx context.Context, id string, match Match) error
	// TestWebhook sends one event now and says what came of it.
	TestWebhook(ctx context.Context, id string) (Delivery, error)
	// Deliveries are the last tries, newest first.
	Deliveries(id string) ([]Delivery, error)
}

// ShowFile is the whole show as one document.
type ShowFile interface {
	ExportShow(secrets bool) (Show, error)
	// ImportShow says what has to change, and changes it unless dry.
	ImportShow(ctx context.Context, show Show, dry, prune bool) (ImportAnswer, error)
}

// Alarms keeps what is wrong, until it is over.
type Alarms interface {
	// ListAlarms is in the order of ids, which is by age.
	ListAlarms() []Stored[Alarm]
	GetAlarm(id string) (Stored[Alarm], error)
	Acknowledge(ctx context.Context, id string) (Stored[Alarm], error)
	// Shelve hides an alarm for that long; 0 ends it.
	Shelve(ctx context.Context, id string, d time.Duration) (Stored[Alarm], error)
	Thresholds() Stored[AlarmThresholds]
	UpdateThresholds(ctx context.Context, match Match, change func(AlarmThresholds) (AlarmThresholds, error)) (Stored[AlarmThresholds], error)
}

// Users keeps the people who sign in with a name and a password.
type Users interface {
	ListUsers() []Stored[UserView]
	GetUser(id string) (Stored[UserView], error)
	CreateUser(context.Context, User) (Stored[UserView], error)
	// UpdateUser stores what change makes of the present document, which has no
	// password; an empty one stays as it is.
	UpdateUser(ctx context.Context, id string, match Match, change func(User) (User, error)) (Stored[UserView], error)
	DeleteUser(ctx context.Context, id string, match Match) error
}

// Audit is the list of what was changed, by whom and from where.
type Audit interface {
	// Record never waits for the disk.
	Record(AuditEntry)
	// ListAudit gives the entries before the one with that id, newest first.
	ListAudit(before string, limit int, matches func(AuditEntry) bool) []AuditEntry
}

// Memory keeps answers to requests with an Idempotency-Key across restarts,
// sealed: they hold keys.
type Memory interface {
	// Remember returns when the answer is on disk. It keeps a bounded number.
	Remember(ctx context.Context, id string, answer []byte) error
	// Recall gives the answers that are not forgotten yet.
	Recall(id string) (answer []byte, ok bool)
}
