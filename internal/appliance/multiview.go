package appliance

import (
	"millrace/api"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// Multiview implements api.Live.
func (c *channels) Multiview(id string) (api.Multiview, error) {
	p, err := c.find(id)
	if err != nil {
		return api.Multiview{}, err
	}
	c.mu.RLock()
	document, onAir := p.stored.Value, p.onAir.Value
	c.mu.RUnlock()
	view := api.Multiview{
		Width: worker.MultiviewWidth, Height: worker.MultiviewHeight, Path: "/whep/" + id + "/multiview", Tiles: []api.MultiviewTile{},
	}
	for _, tile := range scene.Multiview(document.Sources, document.Canvas.Width, document.Canvas.Height) {
		shown := api.MultiviewTile{Kind: api.MultiviewTileKind(tile.Kind), Rect: tile.Rect}
		switch tile.Kind {
		case scene.TileProgram:
			shown.Scene, shown.Name = onAir.Program, sceneName(document, onAir.Program)
		case scene.TilePreview:
			shown.Scene, shown.Name = onAir.Preview, sceneName(document, onAir.Preview)
		case scene.TileSource:
			shown.Source, shown.Name = tile.Source, c.sourceName(tile.Source)
			shown.Tally = api.MultiviewTileTally(tally(document, onAir, p.movement.progress(), tile.Source))
		}
		view.Tiles = append(view.Tiles, shown)
	}
	return view, nil
}

// sceneName is how people call a scene.
func sceneName(document api.Channel, id string) string {
	for _, s := range document.Scenes {
		if s.ID == id && s.Name != "" {
			return s.Name
		}
	}
	return id
}

// sourceName is how people call a source.
func (c *channels) sourceName(id string) string {
	if s, ok := c.sources.document(id); ok && s.Name != "" {
		return s.Name
	}
	return id
}
