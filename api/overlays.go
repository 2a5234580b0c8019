package api

import (
	"context"
	"fmt"
	"slices"
)

// Overlays are part of their channel's document, as scenes are: an overlay's
// ETag is the channel's.

func indexOverlay(overlays []Overlay, id string) int {
	return slices.IndexFunc(overlays, func(o Overlay) bool { return o.ID == id })
}

// ListOverlays answers GET /v1/channels/{id}/overlays.
func (s *Server) ListOverlays(_ context.Context, r ListOverlaysRequestObject) (ListOverlaysResponseObject, error) {
	channel, err := s.backend.GetChannel(r.Id)
	if err != nil {
		return nil, err
	}
	return ListOverlays200JSONResponse{Items: append([]Overlay{}, channel.Value.Overlays...)}, nil
}

// CreateOverlay answers POST /v1/channels/{id}/overlays.
func (s *Server) CreateOverlay(ctx context.Context, r CreateOverlayRequestObject) (CreateOverlayResponseObject, error) {
	var part string
	changed, err := s.backend.UpdateChannel(ctx, r.Id, Match{Any: true}, func(c Channel) (Channel, error) {
		if indexOverlay(c.Overlays, r.Body.ID) >= 0 {
			return c, Exists("overlay", r.Body.ID)
		}
		part = fmt.Sprintf("/overlays/%d", len(c.Overlays))
		c.Overlays = append(slices.Clone(c.Overlays), *r.Body)
		return c, nil
	})
	if err != nil {
		return nil, within(err, part)
	}
	return CreateOverlay201JSONResponse{Body: *r.Body, Headers: CreateOverlay201ResponseHeaders{
		ETag: etag(changed.Revision), Location: "/v1/channels/" + r.Id + "/overlays/" + r.Body.ID,
	}}, nil
}

// GetOverlay answers GET /v1/channels/{id}/overlays/{oid}.
func (s *Server) GetOverlay(_ context.Context, r GetOverlayRequestObject) (GetOverlayResponseObject, error) {
	channel, err := s.backend.GetChannel(r.Id)
	if err != nil {
		return nil, err
	}
	i := indexOverlay(channel.Value.Overlays, r.Oid)
	if i < 0 {
		return nil, NotFound("overlay", r.Oid)
	}
	return GetOverlay200JSONResponse{channel.Value.Overlays[i], GetOverlay200ResponseHeaders{etag(channel.Revision)}}, nil
}

// PutOverlay answers PUT /v1/channels/{id}/overlays/{oid}.
func (s *Server) PutOverlay(ctx context.Context, r PutOverlayRequestObject) (PutOverlayResponseObject, error) {
	overlay, revision, err := s.updateOverlay(ctx, r.Id, r.Oid, r.Params.IfMatch, func(Overlay) (Overlay, error) { return *r.Body, nil })
	return PutOverlay200JSONResponse{overlay, PutOverlay200ResponseHeaders{etag(revision)}}, err
}

// PatchOverlay answers PATCH /v1/channels/{id}/overlays/{oid}.
func (s *Server) PatchOverlay(ctx context.Context, r PatchOverlayRequestObject) (PatchOverlayResponseObject, error) {
	overlay, revision, err := s.updateOverlay(ctx, r.Id, r.Oid, r.Params.IfMatch, patched[Overlay](s, "Overlay", *r.JSONBody))
	return PatchOverlay200JSONResponse{overlay, PatchOverlay200ResponseHeaders{etag(revision)}}, err
}

func (s *Server) updateOverlay(ctx context.Context, channel, id, ifMatch string, change func(Overlay) (Overlay, error)) (changed Overlay, revision uint64, err error) {
	match, err := parseMatch(ifMatch)
	if err != nil {
		return changed, 0, err
	}
	var part string
	stored, err := s.backend.UpdateChannel(ctx, channel, match, func(c Channel) (Channel, error) {
		i := indexOverlay(c.Overlays, id)
		if i < 0 {
			return c, NotFound("overlay", id)
		}
		if changed, err = change(c.Overlays[i]); err != nil {
			return c, err
		}
		if changed.ID != id {
			return c, Invalid(Fault{Pointer: "/id", Detail: "an id never changes; make a new overlay"})
		}
		part = fmt.Sprintf("/overlays/%d", i)
		c.Overlays = slices.Clone(c.Overlays)
		c.Overlays[i] = changed
		return c, nil
	})
	if part != "" { // the document was refused, not the change
		err = within(err, part)
	}
	return changed, stored.Revision, err
}

// DeleteOverlay answers DELETE /v1/channels/{id}/overlays/{oid}.
func (s *Server) DeleteOverlay(ctx context.Context, r DeleteOverlayRequestObject) (DeleteOverlayResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	_, err = s.backend.UpdateChannel(ctx, r.Id, match, func(c Channel) (Channel, error) {
		i := indexOverlay(c.Overlays, r.Oid)
		if i < 0 {
			return c, NotFound("overlay", r.Oid)
		}
		c.Overlays = slices.Delete(slices.Clone(c.Overlays), i, i+1)
		return c, nil
	})
	return DeleteOverlay204Response{}, err
}

// OverlayOn answers POST /v1/channels/{id}/overlays/{oid}/on.
func (s *Server) OverlayOn(ctx context.Context, r OverlayOnRequestObject) (OverlayOnResponseObject, error) {
	answer, err := s.takeOverlay(ctx, r.Id, Take{Overlays: map[string]bool{r.Oid: true}, Expect: r.Body.Expect.Program}, r.Body.At)
	return OverlayOn200JSONResponse(answer), err
}

// OverlayOff answers POST /v1/channels/{id}/overlays/{oid}/off.
func (s *Server) OverlayOff(ctx context.Context, r OverlayOffRequestObject) (OverlayOffResponseObject, error) {
	answer, err := s.takeOverlay(ctx, r.Id, Take{Overlays: map[string]bool{r.Oid: false}, Expect: r.Body.Expect.Program}, r.Body.At)
	return OverlayOff200JSONResponse(answer), err
}

func (s *Server) takeOverlay(ctx context.Context, channel string, take Take, at At) (LiveAnswer, error) {
	if err := take.setAt(at); err != nil {
		return LiveAnswer{}, err
	}
	return s.backend.Take(ctx, channel, take)
}
