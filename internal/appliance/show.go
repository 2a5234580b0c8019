package appliance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"millrace/api"
	"millrace/internal/media"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

const audioRendition = "audio"

// air is what is on a channel's air. It changes with every take, so it is
// stored apart from the channel's settings.
type air struct {
	Program  string                       `json:"program"`
	Black    bool                         `json:"black,omitempty"`    // faded to black, or on its way there
	Overlays []string                     `json:"overlays,omitempty"` // ids of those on air, in their order
	Preview  string                       `json:"preview"`
	Audio    map[string]api.AudioSettings `json:"audio,omitempty"` // by source; absent is the default
	Master   api.MasterAudio              `json:"master,omitzero"`
}

// within leaves out what the channel's document does not have: a worker refuses
// to begin with it.
func (a air) within(document api.Channel) air {
	if !hasScene(document, a.Program) {
		a.Program = document.Program
	}
	if !hasScene(document, a.Preview) {
		a.Preview = ""
	}
	a.Overlays = slices.DeleteFunc(slices.Clone(a.Overlays), func(id string) bool {
		return !slices.ContainsFunc(document.Overlays, func(o api.Overlay) bool { return o.ID == id })
	})
	if len(a.Overlays) == 0 {
		a.Overlays = nil // as it is after a restart
	}
	return a
}

// audioOf is a source's strip.
func (a air) audioOf(source string) api.AudioSettings {
	settings, ok := a.Audio[source]
	if !ok {
		settings.Mode = api.AudioSettingsModeFollow
	}
	return settings
}

// defaultScene arranges the first sources of a channel that came without scenes.
func defaultScene(sources []string) api.Scene {
	switch n := len(sources); {
	case n <= 1:
		return api.Scene{ID: "solo", Layout: "solo", Slots: sources}
	case n == 2:
		return api.Scene{ID: "two-up", Layout: "two-up", Slots: sources}
	default:
		return api.Scene{ID: "grid", Layout: "grid-4", Slots: sources[:min(n, 4)]}
	}
}

// completed fills in what a channel document may leave out.
func completed(document api.Channel) api.Channel {
	if len(document.Scenes) == 0 {
		document.Scenes = []api.Scene{defaultScene(document.Sources)}
	}
	if document.Program == "" {
		document.Program = document.Scenes[0].ID
	}
	if document.Transition.Type == "" {
		document.Transition = api.Transition{Type: api.TransitionTypeMix, DurationMs: int(scene.DefaultTransition.Milliseconds())}
	}
	if document.Audio.Bitrate == 0 {
		document.Audio.Bitrate = 128_000
	}
	if document.Packaging == (api.Packaging{}) {
		document.Packaging = api.Packaging{SegmentMs: api.N3200, PartMs: api.N200}
	}
	if document.Dvr.WindowMs == 0 {
		document.Dvr.WindowMs = 7_200_000
	}
	if document.Playback.Auth == "" {
		document.Playback.Auth = api.Open
	}
	return document
}

// checkChannel finds everything in a completed document that its schema cannot.
func checkChannel(document api.Channel, known func(source string) bool, picture func(asset string) (fault string)) []api.Fault {
	c := channelCheck{document: document}
	c.canvas()
	c.sources(known)
	c.recording()
	c.ladder()
	c.scenes()
	for _, fault := range scene.ValidateOverlays(document.Overlays) {
		c.fault("/overlays"+fault.Pointer, "%s", fault.Detail)
	}
	c.pictures(picture)
	return c.faults
}

type channelCheck struct {
	document api.Channel
	faults   []api.Fault
}

func (c *channelCheck) fault(pointer, format string, args ...any) {
	c.faults = append(c.faults, api.Fault{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

func (c *channelCheck) even(pointer string, width, height int) {
	if width%2 != 0 || height%2 != 0 {
		c.fault(pointer, "%dx%d: width and height must be even for 4:2:0 pictures", width, height)
	}
}

func (c *channelCheck) canvas() {
	c.even("/canvas", c.document.Canvas.Width, c.document.Canvas.Height)
}

func (c *channelCheck) sources(known func(string) bool) {
	seen := map[string]bool{}
	for i, id := range c.document.Sources {
		pointer := fmt.Sprintf("/sources/%d", i)
		if seen[id] {
			c.fault(pointer, "%q stands here twice", id)
		} else if !known(id) {
			c.fault(pointer, "there is no source %q", id)
		}
		seen[id] = true
	}
}

// pictures holds what layers and overlays show against the assets.
func (c *channelCheck) pictures(fault func(asset string) string) {
	check := func(pointer string, g scene.Graphic) {
		if g.Kind != scene.KindImage || g.Asset == "" {
			return
		}
		if why := fault(g.Asset); why != "" {
			c.fault(pointer+"/asset", "%s", why)
		}
	}
	for i, s := range c.document.Scenes {
		for j, layer := range s.Layers {
			check(fmt.Sprintf("/scenes/%d/layers/%d", i, j), layer.Graphic)
		}
	}
	for i, o := range c.document.Overlays {
		check(fmt.Sprintf("/overlays/%d", i), o.Graphic)
	}
	if slate := c.document.Slate.Asset; slate != "" {
		if why := fault(slate); why != "" {
			c.fault("/slate/asset", "%s", why)
		}
	}
	if n := len(scene.Assets(c.document.Scenes, c.document.Overlays)); n > scene.MaxAssets {
		c.fault("/overlays", "the scenes and overlays show %d different assets; %d is the most", n, scene.MaxAssets)
	}
}

func (c *channelCheck) recording() {
	for i, id := range c.document.Recording.Iso {
		if !slices.Contains(c.document.Sources, id) {
			c.fault(fmt.Sprintf("/recording/iso/%d", i), "the channel has no source %q", id)
		}
	}
}

func (c *channelCheck) ladder() {
	seen := map[string]bool{audioRendition: true, worker.OpusID: true}
	canvas := c.document.Canvas
	codecs := map[api.RungCodec]bool{}
	for i, rung := range c.document.Ladder {
		codecs[cmp.Or(rung.Codec, api.H264)] = true
		pointer := fmt.Sprintf("/ladder/%d", i)
		if seen[rung.Id] || strings.HasPrefix(rung.Id, worker.ReturnID("")) {
			c.fault(pointer+"/id", "%q names another rendition already", rung.Id)
		}
		seen[rung.Id] = true
		c.even(pointer, rung.Width, rung.Height)
		if rung.Width > canvas.Width || rung.Height > canvas.Height {
			c.fault(pointer, "%dx%d is larger than the canvas of %dx%d", rung.Width, rung.Height, canvas.Width, canvas.Height)
		}
	}
	if len(codecs) > 0 && !codecs[api.H264] {
		c.fault("/ladder", "one rung at least must be h264: it is what every player and browser shows, and what goes on on the CPU when a card fails")
	}
}

func (c *channelCheck) scenes() {
	seen := map[string]bool{}
	for i, s := range c.document.Scenes {
		pointer := fmt.Sprintf("/scenes/%d", i)
		if seen[s.ID] {
			c.fault(pointer+"/id", "%q names another scene already", s.ID)
		}
		seen[s.ID] = true
		for _, fault := range s.Validate(c.document.Sources) {
			c.fault(pointer+fault.Pointer, "%s", fault.Detail)
		}
	}
	if !seen[c.document.Program] {
		c.fault("/program", "there is no scene %q; scenes are %s", c.document.Program, sceneIDs(c.document.Scenes))
	}
	if c.document.Preview != "" && !seen[c.document.Preview] {
		c.fault("/preview", "there is no scene %q; scenes are %s", c.document.Preview, sceneIDs(c.document.Scenes))
	}
}

func sceneIDs(scenes []api.Scene) string {
	ids := make([]string, len(scenes))
	for i, s := range scenes {
		ids[i] = s.ID
	}
	return strings.Join(ids, ", ")
}

// checkFrozen refuses a change of what encoders and playlists are made of.
func checkFrozen(present, changed api.Channel) error {
	var faults []api.Fault
	frozen := func(same bool, pointer string) {
		if !same {
			faults = append(faults, api.Fault{Pointer: pointer, Detail: "it is frozen while the channel exists, so that no player ever sees a break; make a new channel"})
		}
	}
	frozen(present.Canvas == changed.Canvas, "/canvas")
	frozen(slices.Equal(present.Ladder, changed.Ladder), "/ladder")
	frozen(present.Audio.Bitrate == changed.Audio.Bitrate, "/audio/bitrate")
	frozen(present.Packaging == changed.Packaging, "/packaging")
	if len(faults) > 0 {
		return api.Invalid(faults...)
	}
	return nil
}

// facts are what the mixer must know of a source beside its document.
type facts struct {
	guest  bool // hears the program without himself
	keepMs int  // how long the last picture of a clip stays; 0: as the document says
}

// showOf says to a worker what a channel is.
func showOf(document api.Channel, onAir air, source func(id string) (api.Source, bool), known func(id string) facts) (worker.Show, error) {
	rate, err := media.ParseRate(string(document.Canvas.Rate))
	if err != nil {
		return worker.Show{}, fmt.Errorf("channel %q: %w", document.Id, err)
	}
	show := worker.Show{
		Channel: document.Id, Program: onAir.Program, Preview: onAir.Preview, Black: onAir.Black,
		Overlays: slices.Clone(document.Overlays), OverlaysOn: slices.Clone(onAir.Overlays),
		Canvas:  worker.Canvas{Width: document.Canvas.Width, Height: document.Canvas.Height, Rate: rate},
		Scenes:  slices.Clone(document.Scenes),
		Slate:   document.Slate.Asset,
		AudioID: audioRendition, AudioBitrate: document.Audio.Bitrate,
		Master:   worker.Master{GainDB: onAir.Master.GainDb, Mute: onAir.Master.Mute},
		Loudness: worker.Loudness{TargetLUFS: document.Audio.Loudness.TargetLufs, LimiterDBTP: document.Audio.Loudness.LimiterDbtp},
	}
	for _, rung := range document.Ladder {
		show.Ladder = append(show.Ladder, worker.Rung{
			ID: rung.Id, Width: rung.Width, Height: rung.Height, Bitrate: rung.Bitrate, Codec: cmp.Or(media.Codec(rung.Codec), media.H264),
		})
	}
	for _, id := range document.Sources {
		s, ok := source(id)
		if !ok {
			continue // deleted in the same moment; its cells stay empty
		}
		input := inputOf(s, onAir.audioOf(id))
		about := known(id)
		if input.Return = about.guest; about.keepMs > 0 {
			input.HoldMs = about.keepMs
		}
		show.Sources = append(show.Sources, input)
	}
	return show, nil
}

// defaultHoldMs is how long a lost input's last picture stays.
const defaultHoldMs = 2000

func inputOf(s api.Source, audio api.AudioSettings) worker.Source {
	input := worker.Source{
		ID: s.Id, Name: s.Name, Kind: worker.Push, HoldMs: s.OnLoss.HoldMs,
		Audio: worker.AudioSettings{
			GainDB: audio.GainDb, Pan: audio.Pan, Mute: audio.Mute, Solo: audio.Solo,
			Mode: worker.AudioMode(audio.Mode), DelayMs: audio.DelayMs,
		},
	}
	if duck := audio.Duck; duck != nil {
		input.Audio.Duck = &worker.Duck{
			Keys: duck.Keys, ThresholdDB: duck.ThresholdDb, Ratio: duck.Ratio, AttackMs: duck.AttackMs, ReleaseMs: duck.ReleaseMs,
		}
	}
	if s.OnLoss == (api.OnLoss{}) {
		input.HoldMs = defaultHoldMs
	}
	switch s.Kind {
	case api.SourceKindStill:
		input.Kind, input.Still = worker.Still, s.Asset
	case api.SourceKindTest:
		input.Kind = worker.Test
		input.Test = &worker.TestPattern{Pattern: s.Test.Pattern, ToneHz: s.Test.ToneHz}
	}
	return input
}

// tally says where a source is seen. moving is the transition under way, nil at
// rest: what leaves and what comes are both on air.
func tally(document api.Channel, onAir air, moving *worker.Progress, source string) string {
	seen := func(id string) bool {
		return slices.ContainsFunc(document.Scenes, func(s api.Scene) bool { return s.ID == id && slices.Contains(s.Sources(), source) })
	}
	switch {
	case seen(onAir.Program), moving != nil && (seen(moving.From) || seen(moving.To)):
		return "program"
	case seen(onAir.Preview):
		return "preview"
	}
	return "off"
}
