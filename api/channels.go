package api

import "context"

func channelID(c Channel) string { return c.Id }

// ListChannels answers GET /v1/channels.
func (s *Server) ListChannels(_ context.Context, r ListChannelsRequestObject) (ListChannelsResponseObject, error) {
	items, next := page(s.backend.ListChannels(), channelID, r.Params.Cursor, r.Params.Limit)
	return ListChannels200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateChannel answers POST /v1/channels.
func (s *Server) CreateChannel(ctx context.Context, r CreateChannelRequestObject) (CreateChannelResponseObject, error) {
	made, err := s.backend.CreateChannel(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return CreateChannel201JSONResponse{Body: made.Value, Headers: CreateChannel201ResponseHeaders{
		ETag: etag(made.Revision), Location: "/v1/channels/" + made.Value.Id,
	}}, nil
}

// GetChannel answers GET /v1/channels/{id}.
func (s *Server) GetChannel(_ context.Context, r GetChannelRequestObject) (GetChannelResponseObject, error) {
	found, err := s.backend.GetChannel(r.Id)
	if err != nil {
		return nil, err
	}
	return GetChannel200JSONResponse{found.Value, GetChannel200ResponseHeaders{etag(found.Revision)}}, nil
}

// PutChannel answers PUT /v1/channels/{id}.
func (s *Server) PutChannel(ctx context.Context, r PutChannelRequestObject) (PutChannelResponseObject, error) {
	changed, err := s.updateChannel(ctx, r.Id, r.Params.IfMatch, func(Channel) (Channel, error) { return *r.Body, nil })
	if err != nil {
		return nil, err
	}
	return PutChannel200JSONResponse{changed.Value, PutChannel200ResponseHeaders{etag(changed.Revision)}}, nil
}

// PatchChannel answers PATCH /v1/channels/{id}.
func (s *Server) PatchChannel(ctx context.Context, r PatchChannelRequestObject) (PatchChannelResponseObject, error) {
	changed, err := s.updateChannel(ctx, r.Id, r.Params.IfMatch, patched[Channel](s, "Channel", *r.JSONBody))
	if err != nil {
		return nil, err
	}
	return PatchChannel200JSONResponse{changed.Value, PatchChannel200ResponseHeaders{etag(changed.Revision)}}, nil
}

func (s *Server) updateChannel(ctx context.Context, id, ifMatch string, change func(Channel) (Channel, error)) (Stored[Channel], error) {
	match, err := parseMatch(ifMatch)
	if err != nil {
		return Stored[Channel]{}, err
	}
	return s.backend.UpdateChannel(ctx, id, match, func(present Channel) (Channel, error) {
		changed, err := change(present)
		if err == nil && changed.Id != id {
			err = Invalid(Fault{Pointer: "/id", Detail: "an id never changes; make a new channel"})
		}
		return changed, err
	})
}

// DeleteChannel answers DELETE /v1/channels/{id}.
func (s *Server) DeleteChannel(ctx context.Context, r DeleteChannelRequestObject) (DeleteChannelResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteChannel204Response{}, s.backend.DeleteChannel(ctx, r.Id, match)
}

// StartChannel answers POST /v1/channels/{id}/start.
func (s *Server) StartChannel(ctx context.Context, r StartChannelRequestObject) (StartChannelResponseObject, error) {
	state, err := s.backend.StartChannel(ctx, r.Id)
	return StartChannel200JSONResponse(state), err
}

// StopChannel answers POST /v1/channels/{id}/stop.
func (s *Server) StopChannel(ctx context.Context, r StopChannelRequestObject) (StopChannelResponseObject, error) {
	state, err := s.backend.StopChannel(ctx, r.Id)
	return StopChannel200JSONResponse(state), err
}

// GetChannelState answers GET /v1/channels/{id}/state.
func (s *Server) GetChannelState(_ context.Context, r GetChannelStateRequestObject) (GetChannelStateResponseObject, error) {
	state, err := s.backend.ChannelState(r.Id)
	return GetChannelState200JSONResponse(state), err
}
