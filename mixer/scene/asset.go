package scene

import "slices"

// MaxAssets is how many different pictures a channel may show: its worker holds
// them all.
const MaxAssets = 16

// Assets are the pictures that scenes and overlays show, in order of first use.
func Assets(scenes []Scene, overlays []Overlay) []string {
	var ids []string
	add := func(g Graphic) {
		if g.Kind == KindImage && !slices.Contains(ids, g.Asset) {
			ids = append(ids, g.Asset)
		}
	}
	for _, s := range scenes {
		for _, placement := range s.Layers {
			add(placement.Graphic)
		}
	}
	for _, o := range overlays {
		add(o.Graphic)
	}
	return ids
}
