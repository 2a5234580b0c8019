package appliance

import "slices"

// assetUses are the channels and sources whose document or air names an asset, by
// asset.
func (c *channels) assetUses() map[string][]string {
	uses := c.sources.assetUses()
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, p := range c.byID {
		for _, document := range []any{members(p.stored.Value), members(p.onAir.Value)} {
			named(document, func(asset string) {
				if !slices.Contains(uses[asset], id) {
					uses[asset] = append(uses[asset], id)
				}
			})
		}
	}
	for _, list := range uses {
		slices.Sort(list)
	}
	return uses
}

// assetUses are the sources that show an asset, by asset.
func (s *sources) assetUses() map[string][]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	uses := map[string][]string{}
	for id, entry := range s.byID {
		if asset := entry.stored.Value.Asset; asset != "" {
			uses[asset] = append(uses[asset], sourcePrefix+id)
		}
	}
	return uses
}

// named finds every member "asset" in a decoded document.
func named(value any, found func(asset string)) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if asset, ok := member.(string); ok && name == "asset" {
				found(asset)
			}
			named(member, found)
		}
	case []any:
		for _, element := range value {
			named(element, found)
		}
	}
}
