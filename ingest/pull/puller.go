package pull

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"millrace/ingest"
	"millrace/ingest/rtmp"
)

const (
	firstPause = 500 * time.Millisecond
	lastPause  = 30 * time.Second
	settled    = time.Minute // after so long a feed counts as one that works
)

// Config is what a puller is made of.
type Config struct {
	// Address is where the feed is now. It may hold secrets and is never logged.
	Address func() string
	// Connect lets the feed in; remote is what may be shown of the address.
	Connect func(protocol, remote string) (ingest.Session, error)
	// Failed hears why there is no feed, when there is none. It must not wait.
	Failed func(reason error)
	Dialer *net.Dialer // judges every address that is connected to
	Log    *slog.Logger
}

// Puller keeps one feed coming: when it ends it is asked for again, after a pause
// that grows.
type Puller struct {
	config Config
	again  chan struct{}
}

// New starts nothing.
func New(config Config) *Puller { return &Puller{config: config, again: make(chan struct{}, 1)} }

// errMoved is why a feed ends whose address was changed.
var errMoved = errors.New("its address was changed")

// Again says that the address is another one: it is pulled from there at once.
func (p *Puller) Again() {
	select {
	case p.again <- struct{}{}:
	default:
	}
}

// Run pulls until the context ends.
func (p *Puller) Run(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		address := p.config.Address()
		err := p.pull(ctx, address)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errMoved) {
			continue
		}
		if time.Since(began) > settled {
			pause = firstPause
		}
		err = clean(err, address)
		p.config.Failed(err)
		wait := pause/2 + rand.N(pause)
		p.config.Log.Info("feed is pulled again", "err", err, "in", wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			pause = min(2*pause, lastPause)
		case <-p.again:
			pause = firstPause
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// pull fetches the feed once.
func (p *Puller) pull(ctx context.Context, address string) error {
	if address == "" {
		return errors.New("the source has no url; set it by PATCH")
	}
	from, err := Parse(address)
	if err != nil {
		return fmt.Errorf("its url %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel(nil)
	watch.Go(func() {
		select {
		case <-p.again:
			cancel(errMoved)
		case <-ctx.Done():
		}
	})
	err = p.fetch(ctx, from, address, func(reason error) { cancel(reason) }, &watch)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// fetch is the feed's protocol; revoked hears when an operator ends it.
func (p *Puller) fetch(ctx context.Context, from *url.URL, address string, revoked func(error), watch *sync.WaitGroup) error {
	connect := func() (ingest.Session, error) {
		session, err := p.config.Connect(from.Scheme, Redacted(address))
		if r, ok := session.(ingest.Revocable); ok && err == nil {
			watch.Go(func() {
				select {
				case <-r.Revoked(): // by an operator
					revoked(r.Reason())
				case <-ctx.Done():
				}
			})
		}
		return session, err
	}
	switch from.Scheme {
	case "rtmp", "rtmps":
		return rtmp.Pull(ctx, from, p.config.Dialer, connect)
	case "udp":
		return pullUDP(ctx, from, connect, p.config.Log)
	}
	return pullHLS(ctx, from, p.config.Dialer, connect)
}

// ErrScheme is of an address that cannot be pulled.
var ErrScheme = errors.New("must begin with rtmp://, rtmps://, http:// or https:// (HLS) or udp:// (MPEG-TS)")

// Parse reads an address. The error does not repeat it.
func Parse(address string) (*url.URL, error) {
	from, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("is no URL")
	}
	switch from.Scheme {
	case "rtmp", "rtmps", "http", "https":
		if from.Hostname() == "" || from.Path == "" || from.Path == "/" {
			return nil, errors.New("needs a host and a path")
		}
	case "udp":
		if from.Port() == "" {
			return nil, errors.New("needs a port, as in udp://239.1.1.1:5000 or udp://:5000")
		}
		if host := from.Hostname(); host != "" && net.ParseIP(host) == nil {
			return nil, errors.New("needs an IP address: a multicast group, or one of this machine")
		}
	default:
		return nil, ErrScheme
	}
	return from, nil
}

// Redacted is what may be shown of an address: no user, no query, no key of a
// stream.
func Redacted(address string) string {
	from, err := url.Parse(address)
	if err != nil {
		return ""
	}
	shown := url.URL{Scheme: from.Scheme, Host: from.Host, Path: from.Path}
	if from.Scheme == "rtmp" || from.Scheme == "rtmps" {
		shown.Path = from.Path[:strings.LastIndexByte(from.Path, '/')+1]
		return shown.String() + "…"
	}
	return shown.String()
}

// clean takes an address and its parts out of an error, as libraries put it there.
func clean(err error, address string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		text = wrapped.Err.Error()
	}
	secrets := []string{address}
	if from, parsed := url.Parse(address); parsed == nil {
		if password, ok := from.User.Password(); ok {
			secrets = append(secrets, password)
		}
		secrets = append(secrets, from.RawQuery, from.Fragment, from.Path[strings.LastIndexByte(from.Path, '/')+1:])
	}
	for _, secret := range secrets {
		if len(secret) > 3 {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return fmt.Errorf("pull: %s", text)
}
