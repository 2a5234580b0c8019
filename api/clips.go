package api

import "context"

func clipID(c Clip) string { return c.Id }

// CreateClip answers POST /v1/clips.
func (s *Server) CreateClip(ctx context.Context, r CreateClipRequestObject) (CreateClipResponseObject, error) {
	made, err := s.backend.CreateClip(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	tag, location := etag(made.Revision), "/v1/clips/"+made.Value.Id
	if made.Value.State != ClipStateReady {
		return CreateClip202JSONResponse{Body: made.Value, Headers: CreateClip202ResponseHeaders{ETag: tag, Location: location}}, nil
	}
	return CreateClip201JSONResponse{Body: made.Value, Headers: CreateClip201ResponseHeaders{ETag: tag, Location: location}}, nil
}

// ListClips answers GET /v1/clips.
func (s *Server) ListClips(_ context.Context, r ListClipsRequestObject) (ListClipsResponseObject, error) {
	items, next := page(s.backend.ListClips(Filter{r.Params.Channel, r.Params.Tag, r.Params.Text}), clipID, r.Params.Cursor, r.Params.Limit)
	return ListClips200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetClip answers GET /v1/clips/{id}.
func (s *Server) GetClip(_ context.Context, r GetClipRequestObject) (GetClipResponseObject, error) {
	found, err := s.backend.GetClip(r.Id)
	if err != nil {
		return nil, err
	}
	return GetClip200JSONResponse{found.Value, GetClip200ResponseHeaders{etag(found.Revision)}}, nil
}

// PatchClip answers PATCH /v1/clips/{id}.
func (s *Server) PatchClip(ctx context.Context, r PatchClipRequestObject) (PatchClipResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	changed, err := s.backend.UpdateClip(ctx, r.Id, match, patched[Titles](s, "Titles", *r.JSONBody))
	if err != nil {
		return nil, err
	}
	return PatchClip200JSONResponse{changed.Value, PatchClip200ResponseHeaders{etag(changed.Revision)}}, nil
}

// DeleteClip answers DELETE /v1/clips/{id}.
func (s *Server) DeleteClip(ctx context.Context, r DeleteClipRequestObject) (DeleteClipResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteClip204Response{}, s.backend.DeleteClip(ctx, r.Id, match)
}
