package api

import (
	"context"
	"fmt"
	"slices"
)

// Scenes are part of their channel's document: a scene's ETag is the channel's,
// and a change of one is a change of the channel.

func indexScene(scenes []Scene, id string) int {
	return slices.IndexFunc(scenes, func(s Scene) bool { return s.ID == id })
}

// ListScenes answers GET /v1/channels/{id}/scenes.
func (s *Server) ListScenes(_ context.Context, r ListScenesRequestObject) (ListScenesResponseObject, error) {
	channel, err := s.backend.GetChannel(r.Id)
	if err != nil {
		return nil, err
	}
	return ListScenes200JSONResponse{Items: append([]Scene{}, channel.Value.Scenes...)}, nil
}

// CreateScene answers POST /v1/channels/{id}/scenes.
func (s *Server) CreateScene(ctx context.Context, r CreateSceneRequestObject) (CreateSceneResponseObject, error) {
	var part string
	changed, err := s.backend.UpdateChannel(ctx, r.Id, Match{Any: true}, func(c Channel) (Channel, error) {
		if indexScene(c.Scenes, r.Body.ID) >= 0 {
			return c, Exists("scene", r.Body.ID)
		}
		part = fmt.Sprintf("/scenes/%d", len(c.Scenes))
		c.Scenes = append(slices.Clone(c.Scenes), *r.Body)
		return c, nil
	})
	if err != nil {
		return nil, within(err, part)
	}
	return CreateScene201JSONResponse{Body: *r.Body, Headers: CreateScene201ResponseHeaders{
		ETag: etag(changed.Revision), Location: "/v1/channels/" + r.Id + "/scenes/" + r.Body.ID,
	}}, nil
}

// GetScene answers GET /v1/channels/{id}/scenes/{sid}.
func (s *Server) GetScene(_ context.Context, r GetSceneRequestObject) (GetSceneResponseObject, error) {
	channel, err := s.backend.GetChannel(r.Id)
	if err != nil {
		return nil, err
	}
	i := indexScene(channel.Value.Scenes, r.Sid)
	if i < 0 {
		return nil, NotFound("scene", r.Sid)
	}
	return GetScene200JSONResponse{channel.Value.Scenes[i], GetScene200ResponseHeaders{etag(channel.Revision)}}, nil
}

// PutScene answers PUT /v1/channels/{id}/scenes/{sid}.
func (s *Server) PutScene(ctx context.Context, r PutSceneRequestObject) (PutSceneResponseObject, error) {
	scene, revision, err := s.updateScene(ctx, r.Id, r.Sid, r.Params.IfMatch, func(Scene) (Scene, error) { return *r.Body, nil })
	return PutScene200JSONResponse{scene, PutScene200ResponseHeaders{etag(revision)}}, err
}

// PatchScene answers PATCH /v1/channels/{id}/scenes/{sid}.
func (s *Server) PatchScene(ctx context.Context, r PatchSceneRequestObject) (PatchSceneResponseObject, error) {
	scene, revision, err := s.updateScene(ctx, r.Id, r.Sid, r.Params.IfMatch, patched[Scene](s, "Scene", *r.JSONBody))
	return PatchScene200JSONResponse{scene, PatchScene200ResponseHeaders{etag(revision)}}, err
}

func (s *Server) updateScene(ctx context.Context, channel, id, ifMatch string, change func(Scene) (Scene, error)) (changed Scene, revision uint64, err error) {
	match, err := parseMatch(ifMatch)
	if err != nil {
		return changed, 0, err
	}
	var part string
	stored, err := s.backend.UpdateChannel(ctx, channel, match, func(c Channel) (Channel, error) {
		i := indexScene(c.Scenes, id)
		if i < 0 {
			return c, NotFound("scene", id)
		}
		if changed, err = change(c.Scenes[i]); err != nil {
			return c, err
		}
		if changed.ID != id {
			return c, Invalid(Fault{Pointer: "/id", Detail: "an id never changes; make a new scene"})
		}
		part = fmt.Sprintf("/scenes/%d", i)
		c.Scenes = slices.Clone(c.Scenes)
		c.Scenes[i] = changed
		return c, nil
	})
	if part != "" { // the document was refused, not the change
		err = within(err, part)
	}
	return changed, stored.Revision, err
}

// DeleteScene answers DELETE /v1/channels/{id}/scenes/{sid}.
func (s *Server) DeleteScene(ctx context.Context, r DeleteSceneRequestObject) (DeleteSceneResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	_, err = s.backend.UpdateChannel(ctx, r.Id, match, func(c Channel) (Channel, error) {
		i := indexScene(c.Scenes, r.Sid)
		if i < 0 {
			return c, NotFound("scene", r.Sid)
		}
		if c.Program == r.Sid {
			return c, Conflict("on-air", "The scene is on air.", "Cut to another scene first.")
		}
		if c.Preview == r.Sid {
			c.Preview = ""
		}
		c.Scenes = slices.Delete(slices.Clone(c.Scenes), i, i+1)
		return c, nil
	})
	return DeleteScene204Response{}, err
}
