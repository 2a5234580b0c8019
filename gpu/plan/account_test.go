package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// hd is a 1080p show with a ladder of so many rungs.
func hd(channel string, inputs, rungs int) Demand {
	sizes := []Picture{{1920, 1080, 30}, {1280, 720, 30}, {854, 480, 30}, {640, 360, 30}}
	d := Demand{Channel: channel, Canvas: sizes[0]}
	for i := range rungs {
		d.Rungs = append(d.Rungs, Rung{ID: fmt.Sprint("v", i), Picture: sizes[i]})
	}
	for range inputs {
		d.Inputs = append(d.Inputs, sizes[0])
	}
	return d
}

const gig = 1 << 30

func card(name string) Card {
	return Card{Name: name, Memory: 8 * gig, EncodeRate: 500_000_000, DecodeRate: 1_200_000_000}
}

func TestWhereAChannelGoes(t *testing.T) {
	small := card("cuda:0")
	small.Memory = gig / 2
	geforce := card("cuda:0")
	geforce.Limited = true
	bare := card("cuda:0")
	bare.EncodeRate = 0
	for _, test := range []struct {
		name   string
		fleet  Fleet
		place  string
		onCard int
		refuse string
	}{
		{"a card", Fleet{Cards: []Card{card("cuda:0")}}, "cuda:0", 4, ""},
		{"no card, spill", Fleet{Spill: true}, CPU, 0, ""},
		{"no card, no spill", Fleet{}, "", 0, "there is no card"},
		{"no memory", Fleet{Cards: []Card{small}}, "", 0, "MiB of its memory are left"},
		{"no NVENC", Fleet{Cards: []Card{bare}, CPU: Rates{Encode: gig}}, "cuda:0", 0, ""},
		{"no NVENC, no CPU", Fleet{Cards: []Card{bare}}, "", 0, "NVENC takes 0 of 4 rungs"},
		{"three sessions", Fleet{Cards: []Card{geforce}, Sessions: 3, CPU: Rates{Encode: gig}}, "cuda:0", 3, ""},
		{"three sessions, no CPU", Fleet{Cards: []Card{geforce}, Sessions: 3}, "", 0, "with 3 of its 4 rungs at 30 pictures a second it would fit on cuda:0"},
		{"the better card", Fleet{Cards: []Card{bare, card("cuda:1")}, CPU: Rates{Encode: gig}}, "cuda:1", 4, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			placement, err := NewAccount(test.fleet).Admit(hd("a", 4, 4))
			if test.refuse != "" {
				require.ErrorIs(t, err, ErrRefused)
				require.ErrorContains(t, err, test.refuse)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.place, placement.Place)
			require.Len(t, placement.OnCard, test.onCard)
			require.Equal(t, test.onCard < 4 && test.place != CPU, placement.Reason != "")
			if test.onCard > 0 {
				require.Equal(t, "v0", placement.OnCard[0], "the program's rung first")
			}
		})
	}
}

// A rung that only cards encode goes to a card that does, or nowhere.
func TestRungsThatOnlyCardsEncode(t *testing.T) {
	able := card("cuda:1")
	able.Codecs = []media.Codec{media.HEVC}
	limited := able
	limited.Limited = true
	demand := hd("a", 4, 3)
	demand.Rungs[2].Codec = media.HEVC
	for _, test := range []struct {
		name   string
		fleet  Fleet
		refuse string
	}{
		{"a card that does", Fleet{Cards: []Card{card("cuda:0"), able}, Spill: true}, ""},
		{"none that does", Fleet{Cards: []Card{card("cuda:0")}, Spill: true}, "cuda:0: it has no encoder for hevc, the codec of rung v2"},
		{"no card", Fleet{Spill: true}, "only cards encode HEVC and AV1, which v2 asks for: there is no card; leave that out, or make it h264"},
		{"no session for it", Fleet{Cards: []Card{limited}, Sessions: 2, Spill: true, CPU: Rates{Encode: gig}}, "only a card encodes rung v2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := NewAccount(test.fleet)
			placement, err := a.Admit(demand)
			if test.refuse != "" {
				require.ErrorIs(t, err, ErrRefused)
				require.ErrorContains(t, err, test.refuse)
				_, err := a.Admit(demand.Everywhere())
				require.NoError(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "cuda:1", placement.Place)
			require.Equal(t, []string{"v0", "v1", "v2"}, placement.OnCard)
		})
	}
}

func TestACardThatIsDown(t *testing.T) {
	a := NewAccount(Fleet{Cards: []Card{card("cuda:0"), card("cuda:1")}, Spill: true})
	for _, want := range []struct{ down, place string }{{"", "cuda:0"}, {"cuda:0", "cuda:1"}, {"cuda:1", CPU}} {
		if want.down != "" {
			a.Down(want.down, "it was lost")
		}
		placement, err := a.Admit(hd("a", 2, 2))
		require.NoError(t, err)
		require.Equal(t, want.place, placement.Place)
	}
	placement, err := a.Ask(hd("b", 2, 2))
	require.NoError(t, err)
	require.Contains(t, placement.Reason, "cuda:1: it was lost")
	a.Down("cuda:1", "")
	placement, err = a.Admit(hd("a", 2, 2))
	require.NoError(t, err)
	require.Equal(t, "cuda:1", placement.Place)
	loads := a.Loads()
	require.Equal(t, "it was lost", loads[0].Down)
	require.Equal(t, []string{"a"}, loads[1].Channels)
	require.Equal(t, 2, loads[1].Sessions)
}

// fleetOf is a random machine of 1 to 8 cards.
func fleetOf(rnd *rand.Rand) Fleet {
	fleet := Fleet{Sessions: rnd.IntN(12), CPU: Rates{Encode: rnd.Int64N(gig)}}
	for i := range 1 + rnd.IntN(8) {
		c := Card{Name: fmt.Sprint("cuda:", i), Memory: rnd.Int64N(24 * gig), Limited: rnd.IntN(2) == 0}
		if rnd.IntN(4) > 0 {
			c.EncodeRate = rnd.Int64N(2 * gig)
		}
		if rnd.IntN(4) > 0 {
			c.DecodeRate = rnd.Int64N(4 * gig)
		}
		if rnd.IntN(2) > 0 {
			c.Codecs = []media.Codec{media.HEVC}
		}
		fleet.Cards = append(fleet.Cards, c)
	}
	return fleet
}

// requireWithin sees that nothing is over-committed.
func requireWithin(t *testing.T, a *Account) {
	t.Helper()
	limited := 0
	for _, c := range a.fleet.Cards {
		used := a.cards[c.Name]
		require.LessOrEqual(t, used.memory, c.Memory)
		require.LessOrEqual(t, used.encode, c.EncodeRate)
		require.LessOrEqual(t, used.decode, c.DecodeRate)
		require.GreaterOrEqual(t, min(used.memory, used.encode, used.decode, int64(used.sessions)), int64(0))
		if c.Limited {
			limited += used.sessions
		}
	}
	require.LessOrEqual(t, limited, a.fleet.Sessions)
	require.LessOrEqual(t, a.cpu.encode, a.fleet.CPU.Encode)
}

// Whatever comes and goes on whatever machine, no card is over-committed, and a
// channel that is asked for again changes nothing.
func TestNeverOverCommits(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		a := NewAccount(fleetOf(rnd))
		for range 150 {
			id := fmt.Sprint(rnd.IntN(20))
			switch rnd.IntN(6) {
			case 0:
				a.Release(id)
			case 1:
				a.Down(fmt.Sprint("cuda:", rnd.IntN(8)), []string{"", "lost"}[rnd.IntN(2)])
			default:
				demand := hd(id, rnd.IntN(9), 1+rnd.IntN(4))
				if rnd.IntN(3) == 0 {
					demand.Rungs[len(demand.Rungs)-1].Codec = media.HEVC
				}
				if placement, err := a.Admit(demand); err == nil {
					require.Subset(t, placement.OnCard, demand.cardsOnly())
					before := fmt.Sprint(a.cards, a.cpu)
					again, err := a.Admit(demand)
					require.NoError(t, err)
					require.Equal(t, placement.Place, again.Place)
					require.Equal(t, before, fmt.Sprint(a.cards, a.cpu))
				} else {
					require.ErrorIs(t, err, ErrRefused)
				}
			}
			requireWithin(t, a)
		}
		for id := range a.placed {
			a.Release(id)
		}
		require.Empty(t, a.cards)
		require.Zero(t, a.cpu)
	}
}

// A thousand reconnects leave the account unchanged.
func TestAThousandReconnects(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	a := NewAccount(Fleet{Cards: []Card{card("cuda:0"), card("cuda:1")}, Sessions: 8, Spill: true})
	for id := range 3 {
		_, err := a.Admit(hd(fmt.Sprint(id), 4, 3))
		require.NoError(t, err)
	}
	before := fmt.Sprint(a.cards, a.cpu, a.placed)
	for range 1000 {
		demand := hd(fmt.Sprint(rnd.IntN(3)), 4, 3)
		if rnd.IntN(2) == 0 {
			_, err := a.Ask(hd("guest", 4, 4))
			require.NoError(t, err)
		}
		_, err := a.Admit(demand)
		require.NoError(t, err)
	}
	require.Equal(t, before, fmt.Sprint(a.cards, a.cpu, a.placed))
}
