package api

import (
	"context"
	"slices"
	"strings"
)

// Titles is what can be changed of a recording or a clip.
type Titles struct {
	Name Name `json:"name,omitempty"`
	Tags Tags `json:"tags,omitempty"`
}

// Filter is what a list is narrowed to; an empty field is any.
type Filter struct {
	Channel string
	Tag     string
	Text    string // in the name, in any case
}

// Matches says whether something of a channel with these titles is listed.
func (f Filter) Matches(channel string, titles Titles) bool {
	return (f.Channel == "" || f.Channel == channel) && (f.Tag == "" || slices.Contains(titles.Tags, f.Tag)) &&
		strings.Contains(strings.ToLower(string(titles.Name)), strings.ToLower(f.Text))
}

func recordingID(r Recording) string { return r.Id }

// CreateRecording answers POST /v1/channels/{id}/recordings.
func (s *Server) CreateRecording(ctx context.Context, r CreateRecordingRequestObject) (CreateRecordingResponseObject, error) {
	made, err := s.backend.StartRecording(ctx, r.Id, *r.Body)
	if err != nil {
		return nil, err
	}
	return CreateRecording201JSONResponse{Body: made.Value, Headers: CreateRecording201ResponseHeaders{
		ETag: etag(made.Revision), Location: "/v1/recordings/" + made.Value.Id,
	}}, nil
}

// ListRecordings answers GET /v1/recordings.
func (s *Server) ListRecordings(_ context.Context, r ListRecordingsRequestObject) (ListRecordingsResponseObject, error) {
	items, next := page(s.backend.ListRecordings(Filter{r.Params.Channel, r.Params.Tag, r.Params.Text}), recordingID, r.Params.Cursor, r.Params.Limit)
	return ListRecordings200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetRecording answers GET /v1/recordings/{id}.
func (s *Server) GetRecording(_ context.Context, r GetRecordingRequestObject) (GetRecordingResponseObject, error) {
	found, err := s.backend.GetRecording(r.Id)
	if err != nil {
		return nil, err
	}
	return GetRecording200JSONResponse{found.Value, GetRecording200ResponseHeaders{etag(found.Revision)}}, nil
}

// PatchRecording answers PATCH /v1/recordings/{id}.
func (s *Server) PatchRecording(ctx context.Context, r PatchRecordingRequestObject) (PatchRecordingResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	changed, err := s.backend.UpdateRecording(ctx, r.Id, match, patched[Titles](s, "Titles", *r.JSONBody))
	if err != nil {
		return nil, err
	}
	return PatchRecording200JSONResponse{changed.Value, PatchRecording200ResponseHeaders{etag(changed.Revision)}}, nil
}

// DeleteRecording answers DELETE /v1/recordings/{id}.
func (s *Server) DeleteRecording(ctx context.Context, r DeleteRecordingRequestObject) (DeleteRecordingResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteRecording204Response{}, s.backend.DeleteRecording(ctx, r.Id, match)
}

// StopRecording answers POST /v1/recordings/{id}/stop.
func (s *Server) StopRecording(ctx context.Context, r StopRecordingRequestObject) (StopRecordingResponseObject, error) {
	stopped, err := s.backend.StopRecording(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return StopRecording200JSONResponse{stopped.Value, StopRecording200ResponseHeaders{etag(stopped.Revision)}}, nil
}
