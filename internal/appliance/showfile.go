package appliance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"millrace/api"
	"millrace/ingest/pull"
)

const showVersion = 1

// ExportShow implements api.ShowFile.
func (n *Node) ExportShow(secrets bool) (api.Show, error) {
	show := api.Show{Version: showVersion, Sources: []api.Source{}, Channels: []api.Channel{}}
	for _, stored := range n.ListSources() {
		document, secret, ok := n.sources.whole(stored.Value.Id)
		if !ok {
			continue // deleted since it was listed
		}
		show.Sources = append(show.Sources, document)
		if secrets {
			if show.Secrets.Sources == nil {
				show.Secrets.Sources = map[string]api.SourceSecrets{}
			}
			show.Secrets.Sources[document.Id] = secret
		}
	}
	for _, stored := range n.ListChannels() {
		show.Channels = append(show.Channels, stored.Value)
		if strips := n.channels.strips(stored.Value.Id); len(strips) > 0 {
			if show.Audio == nil {
				show.Audio = map[string]map[string]api.AudioSettings{}
			}
			show.Audio[stored.Value.Id] = strips
		}
		if master := n.channels.master(stored.Value.Id); master != (api.MasterAudio{}) {
			if show.Masters == nil {
				show.Masters = map[string]api.MasterAudio{}
			}
			show.Masters[stored.Value.Id] = master
		}
	}
	return show, nil
}

// whole is a source's document and its secrets.
func (s *sources) whole(id string) (document api.Source, secrets api.SourceSecrets, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry, ok := s.byID[id]
	if !ok {
		return document, secrets, false
	}
	document = entry.stored.Value.Source
	secrets = api.SourceSecrets{Key: entry.key, SrtPassphrase: entry.passphrase}
	if entry.url != pull.Redacted(entry.url) {
		secrets.Url = entry.url
	} else {
		document.Url = entry.url
	}
	return document, secrets, true
}

// step is one change of an import.
type step struct {
	api.PlanStep
	do func(context.Context) error
}

// ImportShow implements api.ShowFile.
func (n *Node) ImportShow(ctx context.Context, show api.Show, dry, prune bool) (api.ImportAnswer, error) {
	n.importing.Lock()
	defer n.importing.Unlock()
	steps, faults := n.plan(show, prune)
	if len(faults) > 0 {
		return api.ImportAnswer{}, api.Invalid(faults...)
	}
	answer := api.ImportAnswer{Applied: !dry, Plan: []api.PlanStep{}}
	for _, step := range steps {
		answer.Plan = append(answer.Plan, step.PlanStep)
	}
	if dry {
		return answer, nil
	}
	for i, step := range steps {
		err := step.do(ctx)
		var refused *api.Problem
		if errors.As(err, &refused) {
			refused.Detail = fmt.Sprintf("%s %s %q, step %d of %d: %s The steps before it are done.", step.Action, step.Kind, step.Id, i+1, len(steps), refused.Detail)
		}
		if err != nil {
			return answer, err
		}
	}
	return answer, nil
}

// plan is how a show becomes the node's, and what is wrong with it.
func (n *Node) plan(show api.Show, prune bool) ([]step, []api.Fault) {
	p := planner{node: n, show: show, prune: prune, sources: map[string]bool{}, channels: map[string]api.Channel{}}
	p.planSources()
	p.planChannels()
	p.planAudio()
	if prune {
		p.planDeletes()
	}
	return p.steps, p.faults
}

// planner compares a show with the node's.
type planner struct {
	node     *Node
	show     api.Show
	prune    bool
	sources  map[string]bool        // of the show
	channels map[string]api.Channel // likewise
	steps    []step
	faults   []api.Fault
}

func (p *planner) fault(pointer, format string, args ...any) {
	p.faults = append(p.faults, api.Fault{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// blame takes the faults of a document over, with its place in the show.
func (p *planner) blame(pointer string, err error) {
	var refused *api.Problem
	switch {
	case errors.As(err, &refused) && len(refused.Errors) > 0:
		for _, fault := range refused.Errors {
			p.fault(pointer+fault.Pointer, "%s", fault.Detail)
		}
	case err != nil:
		p.fault(pointer, "%s", err)
	}
}

func (p *planner) step(action api.PlanStepAction, kind api.PlanStepKind, id string, fields []string, do func(context.Context) error) {
	p.steps = append(p.steps, step{api.PlanStep{Action: action, Kind: kind, Id: id, Fields: fields}, do})
}

func (p *planner) planSources() {
	for i, document := range p.show.Sources {
		pointer := fmt.Sprintf("/sources/%d", i)
		if p.sources[document.Id] {
			p.fault(pointer+"/id", "%q stands here twice", document.Id)
		}
		p.sources[document.Id] = true
		secret := p.show.Secrets.Sources[document.Id]
		if document.SrtPassphrase == "" {
			document.SrtPassphrase = secret.SrtPassphrase
		}
		document.Url = cmp.Or(document.Url, secret.Url)
		p.blame(pointer, p.node.sources.check(document))
		p.planSource(pointer, document, secret.Key)
	}
	for id := range p.show.Secrets.Sources {
		if !p.sources[id] {
			p.fault("/secrets/sources/"+id, "there is no source %q", id)
		}
	}
}

func (p *planner) planSource(pointer string, document api.Source, key string) {
	if owner, taken := p.node.sources.ownerOf(key); taken && owner != document.Id {
		p.fault("/secrets/sources/"+document.Id+"/key", "another source has this key")
	}
	present, secret, exists := p.node.sources.whole(document.Id)
	if !exists {
		p.step(api.PlanStepActionCreate, api.PlanStepKindSource, document.Id, nil, func(ctx context.Context) error {
			_, err := p.node.sources.make(ctx, document, key)
			return err
		})
		return
	}
	if present.Kind != document.Kind {
		p.fault(pointer+"/kind", "the source %q is of kind %s, and a kind never changes", document.Id, present.Kind)
	}
	wanted := document
	wanted.SrtPassphrase, wanted.Url = "", present.Url
	fields := differences(present, wanted)
	if key != "" && key != secret.Key {
		fields = append(fields, "key")
	}
	if document.SrtPassphrase != "" && document.SrtPassphrase != secret.SrtPassphrase {
		fields = append(fields, "srtPassphrase")
	}
	if document.Url != "" && document.Url != cmp.Or(present.Url, secret.Url) {
		fields = append(fields, "url")
	}
	if len(fields) > 0 {
		p.step(api.PlanStepActionChange, api.PlanStepKindSource, document.Id, fields, func(ctx context.Context) error {
			return p.node.sources.restore(ctx, document, key)
		})
	}
}

// knownSource says of a source whether it is there after the import.
func (p *planner) knownSource(id string) bool {
	if _, exists := p.node.sources.document(id); exists && !p.prune {
		return true
	}
	return p.sources[id]
}

func (p *planner) planChannels() {
	for i, document := range p.show.Channels {
		pointer := fmt.Sprintf("/channels/%d", i)
		document = completed(document)
		if _, twice := p.channels[document.Id]; twice {
			p.fault(pointer+"/id", "%q stands here twice", document.Id)
		}
		p.channels[document.Id] = document
		for _, fault := range checkChannel(document, p.knownSource, p.node.assets.pictureFault) {
			p.fault(pointer+fault.Pointer, "%s", fault.Detail)
		}
		present, err := p.node.GetChannel(document.Id)
		if err != nil {
			p.step(api.PlanStepActionCreate, api.PlanStepKindChannel, document.Id, nil, func(ctx context.Context) error {
				_, err := p.node.CreateChannel(ctx, document)
				return err
			})
			continue
		}
		p.planChannel(pointer, present.Value, document)
	}
}

// planChannel changes a channel that exists. What is on its program stays there.
func (p *planner) planChannel(pointer string, present, document api.Channel) {
	p.blame(pointer, checkFrozen(present, document))
	if !hasScene(document, present.Program) {
		p.fault(pointer+"/scenes", "the scene %q is on program of this channel; cut to another one first", present.Program)
	}
	document.Program = present.Program
	if hasScene(document, present.Preview) {
		document.Preview = present.Preview
	}
	fields := differences(present, document)
	if len(fields) == 0 {
		return
	}
	p.step(api.PlanStepActionChange, api.PlanStepKindChannel, document.Id, fields, func(ctx context.Context) error {
		stopped := document.Stopped
		_, err := p.node.UpdateChannel(ctx, document.Id, api.Match{Any: true}, func(now api.Channel) (api.Channel, error) {
			document.Program, document.Stopped = now.Program, now.Stopped
			if hasScene(document, now.Preview) {
				document.Preview = now.Preview
			}
			return document, nil
		})
		if err == nil && stopped != present.Stopped {
			_, err = p.node.setStopped(ctx, document.Id, stopped)
		}
		return err
	})
}

// planDeletes removes what the show has not: channels first, they use sources.
func (p *planner) planDeletes() {
	for _, stored := range p.node.ListChannels() {
		id := stored.Value.Id
		if _, kept := p.channels[id]; kept {
			continue
		}
		if held := p.node.archive.holding(id); held > 0 {
			p.fault("/channels", "the channel %q is not in the document and holds the media of %d recordings and clips; delete those first", id, held)
		}
		p.step(api.PlanStepActionDelete, api.PlanStepKindChannel, id, nil, func(ctx context.Context) error {
			return p.node.DeleteChannel(ctx, id, api.Match{Any: true})
		})
	}
	for _, stored := range p.node.ListSources() {
		if id := stored.Value.Id; !p.sources[id] {
			p.step(api.PlanStepActionDelete, api.PlanStepKindSource, id, nil, func(ctx context.Context) error {
				return p.node.DeleteSource(ctx, id, api.Match{Any: true})
			})
		}
	}
}

// differences names the members of two documents that are not the same.
func differences[T any](present, wanted T) []string {
	before, after := members(present), members(wanted)
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(before[name], after[name]) {
			changed = append(changed, name)
		}
	}
	return changed
}

func members(document any) map[string]any {
	var all map[string]any
	text, err := json.Marshal(document)
	if err != nil {
		return nil
	}
	// What was encoded decodes.
	_ = json.Unmarshal(text, &all)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}
