package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ErrRefused says that a channel fits nowhere.
var ErrRefused = errors.New("no place for this channel")

// Placement is where a channel goes.
type Placement struct {
	Channel string
	Place   string // a card's name, or CPU: where it is composed
	// OnCard are the rungs that NVENC encodes; x264 does the others.
	OnCard []string
	Reason string // why it is not all on a card; empty when it is

	card, cpu use
}

// Account is who is where. Its methods may be called from any goroutine.
type Account struct {
	mu     sync.Mutex
	fleet  Fleet
	cards  map[string]use
	cpu    use
	down   map[string]string // cards that nothing goes to, with the reason
	placed map[string]Placement
}

// NewAccount begins with nobody placed.
func NewAccount(fleet Fleet) *Account {
	return &Account{fleet: fleet, cards: map[string]use{}, down: map[string]string{}, placed: map[string]Placement{}}
}

// Admit places a channel and writes it down. A channel that is placed already is
// placed anew, where it was if that still fits: asking again changes nothing. An
// error wraps ErrRefused, says why for every card, and proposes what would fit.
func (a *Account) Admit(demand Demand) (Placement, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, was := a.placed[demand.Channel]
	a.remove(demand.Channel)
	placement, err := a.place(demand, before.Place)
	if err != nil {
		if was {
			a.enter(before)
		}
		return Placement{}, err
	}
	a.enter(placement)
	return placement, nil
}

// Ask says where a channel would go, and writes nothing down.
func (a *Account) Ask(demand Demand) (Placement, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, was := a.placed[demand.Channel]
	a.remove(demand.Channel)
	placement, err := a.place(demand, before.Place)
	if was {
		a.enter(before)
	}
	return placement, err
}

// Release gives back what a channel has; one that is not placed has nothing.
func (a *Account) Release(channel string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(channel)
}

// Down takes a card out of use, with the reason; an empty one puts it back. The
// channels on it stay written down until they are admitted again.
func (a *Account) Down(card, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if reason == "" {
		delete(a.down, card)
		return
	}
	a.down[card] = reason
}

func (a *Account) enter(p Placement) {
	a.placed[p.Channel] = p
	a.count(p, 1)
}

func (a *Account) remove(channel string) {
	if p, ok := a.placed[channel]; ok {
		delete(a.placed, channel)
		a.count(p, -1)
	}
}

func (a *Account) count(p Placement, sign int) {
	a.cpu.add(p.cpu, sign)
	if p.Place == CPU {
		return
	}
	used := a.cards[p.Place]
	used.add(p.card, sign)
	if a.cards[p.Place] = used; used == (use{}) {
		delete(a.cards, p.Place)
	}
}

// place finds the best place: the card with most rungs on it, of those the one that
// was home, of those the least loaded; then the CPU.
func (a *Account) place(demand Demand, home string) (Placement, error) {
	if len(demand.Rungs) == 0 {
		return Placement{}, fmt.Errorf("%w: it has no ladder", ErrRefused)
	}
	var best *Placement
	var bestShare float64
	var reasons []string
	for _, card := range a.fleet.Cards {
		placement, reason := a.onCard(demand, card)
		if reason != "" {
			reasons = append(reasons, card.Name+": "+reason)
			continue
		}
		used := a.cards[card.Name]
		used.add(placement.card, 1)
		share := card.share(used)
		better := best == nil || len(placement.OnCard) > len(best.OnCard)
		if best != nil && len(placement.OnCard) == len(best.OnCard) {
			better = card.Name == home || best.Place != home && share < bestShare
		}
		if better {
			best, bestShare = &placement, share
		}
	}
	if best != nil {
		return *best, nil
	}
	why := strings.Join(reasons, "; ")
	if only := demand.cardsOnly(); len(only) > 0 {
		if why == "" {
			why = "there is no card"
		}
		return Placement{}, fmt.Errorf("%w: only cards encode HEVC and AV1, which %s asks for: %s; leave that out, or make it h264",
			ErrRefused, strings.Join(only, ", "), why)
	}
	if a.fleet.Spill {
		return Placement{Channel: demand.Channel, Place: CPU, Reason: why, cpu: use{encode: demand.encodeRate(), decode: demand.decodeRate()}}, nil
	}
	if why == "" {
		why = "there is no card"
	}
	return Placement{}, fmt.Errorf("%w: %s%s", ErrRefused, why, a.proposal(demand))
}

// onCard puts a channel on one card, or says why it cannot go there. What NVENC
// does not take is read back and encoded by x264, the smallest rungs first.
func (a *Account) onCard(demand Demand, card Card) (placement Placement, reason string) {
	if down := a.down[card.Name]; down != "" {
		return placement, down
	}
	used := a.cards[card.Name]
	placement = Placement{Channel: demand.Channel, Place: card.Name}
	if rate := demand.decodeRate(); card.DecodeRate > 0 && used.decode+rate <= card.DecodeRate {
		placement.card.decode = rate
	} else {
		placement.cpu.decode = rate
	}
	sessions := a.sessionsLeft(card)
	for _, rung := range demand.Rungs {
		fits := sessions > len(placement.OnCard) && used.encode+placement.card.encode+rung.rate() <= card.EncodeRate &&
			used.memory+demand.memory(len(placement.OnCard)+1) <= card.Memory
		if rung.CardsOnly() && !slices.Contains(card.Codecs, rung.Codec) {
			return placement, fmt.Sprintf("it has no encoder for %s, the codec of rung %s", rung.Codec, rung.ID)
		}
		if !fits && rung.CardsOnly() {
			return placement, fmt.Sprintf("its sessions, engines or memory are taken, and only a card encodes rung %s", rung.ID)
		}
		if !fits {
			placement.cpu.encode += rung.rate()
			continue
		}
		placement.OnCard = append(placement.OnCard, rung.ID)
		placement.card.encode += rung.rate()
	}
	placement.card.sessions = len(placement.OnCard)
	placement.card.memory = demand.memory(len(placement.OnCard))
	if left := card.Memory - used.memory; placement.card.memory > left {
		return placement, fmt.Sprintf("%d MiB of its memory are left, the channel needs %d", max(left, 0)>>20, placement.card.memory>>20)
	}
	if rest := a.fleet.CPU.Encode - a.cpu.encode; placement.cpu.encode > max(rest, 0) && !a.fleet.Spill {
		return placement, fmt.Sprintf("NVENC takes %d of %d rungs and the CPU cannot encode the others", len(placement.OnCard), len(demand.Rungs))
	}
	if len(placement.OnCard) < len(demand.Rungs) {
		placement.Reason = a.withoutNVENC(card, len(demand.Rungs)-len(placement.OnCard))
	}
	return placement, ""
}

func (a *Account) withoutNVENC(card Card, rungs int) string {
	if card.EncodeRate == 0 {
		return card.Name + " has no NVENC that can be used"
	}
	return fmt.Sprintf("%d rungs are encoded on the CPU: the sessions or engines of %s are taken", rungs, card.Name)
}

// sessionsLeft is how many encoding sessions can begin on a card.
func (a *Account) sessionsLeft(card Card) int {
	if card.EncodeRate == 0 {
		return 0
	}
	if !card.Limited {
		return 1 << 20
	}
	left := a.fleet.Sessions
	for _, other := range a.fleet.Cards {
		if other.Limited {
			left -= a.cards[other.Name].sessions
		}
	}
	return left
}

// proposal is a plan that would be taken: fewer rungs, then a lower rate.
func (a *Account) proposal(demand Demand) string {
	for _, perSecond := range []float64{1, 2} {
		smaller := demand
		smaller.Rungs, smaller.Inputs = slices.Clone(demand.Rungs), demand.Inputs
		smaller.Canvas.PerSecond /= perSecond
		for i := range smaller.Rungs {
			smaller.Rungs[i].PerSecond /= perSecond
		}
		for n := len(demand.Rungs); n > 0; n-- {
			smaller.Rungs = smaller.Rungs[:n]
			for _, card := range a.fleet.Cards {
				if _, reason := a.onCard(smaller, card); reason == "" {
					return fmt.Sprintf("; with %d of its %d rungs at %g pictures a second it would fit on %s",
						n, len(demand.Rungs), smaller.Canvas.PerSecond, card.Name)
				}
			}
		}
	}
	return ""
}

// Load is how full a place is.
type Load struct {
	Place    string
	Channels []string
	Sessions int
	Memory   int64   // bytes
	Encode   float64 // share of what it is believed to do; above 1 it is more
	Decode   float64
	Down     string // why nothing goes there; empty when it does
}

// Loads are those of every card, then the CPU's.
func (a *Account) Loads() []Load {
	a.mu.Lock()
	defer a.mu.Unlock()
	channels := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(a.placed)) {
		place := a.placed[id].Place
		channels[place] = append(channels[place], id)
	}
	var loads []Load
	for _, card := range a.fleet.Cards {
		used := a.cards[card.Name]
		loads = append(loads, Load{
			Place: card.Name, Channels: channels[card.Name], Sessions: used.sessions, Memory: used.memory,
			Encode: part(used.encode, card.EncodeRate), Decode: part(used.decode, card.DecodeRate), Down: a.down[card.Name],
		})
	}
	return append(loads, Load{
		Place: CPU, Channels: channels[CPU],
		Encode: part(a.cpu.encode, a.fleet.CPU.Encode), Decode: part(a.cpu.decode, a.fleet.CPU.Decode),
	})
}
