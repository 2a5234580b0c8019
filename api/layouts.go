package api

import (
	"cmp"
	"context"

	"millrace/mixer/scene"
)

// ListLayouts answers GET /v1/channels/{id}/layouts.
func (s *Server) ListLayouts(_ context.Context, r ListLayoutsRequestObject) (ListLayoutsResponseObject, error) {
	channel, err := s.backend.GetChannel(r.Id)
	if err != nil {
		return nil, err
	}
	slots := cmp.Or(r.Params.Slots, len(channel.Value.Sources))
	list := LayoutList{Items: []Layout{}}
	for _, name := range scene.Layouts() {
		layout := Layout{Id: name}
		for _, cell := range scene.Cells(name, slots, channel.Value.Canvas.Width, channel.Value.Canvas.Height) {
			placed := LayoutCell{Rect: cell.Rect, Fit: LayoutCellFit(cmp.Or(cell.Fit, scene.Cover)), Z: cell.Z}
			layout.Cells = append(layout.Cells, placed)
		}
		list.Items = append(list.Items, layout)
	}
	return ListLayouts200JSONResponse(list), nil
}
