package api

import (
	"bytes"
	"context"
)

// GetTimeline answers GET /v1/channels/{id}/timeline.
func (s *Server) GetTimeline(_ context.Context, r GetTimelineRequestObject) (GetTimelineResponseObject, error) {
	found, err := s.backend.Timeline(r.Id, r.Params.From, r.Params.To)
	return GetTimeline200JSONResponse(found), err
}

// CreateMark answers POST /v1/channels/{id}/marks.
func (s *Server) CreateMark(ctx context.Context, r CreateMarkRequestObject) (CreateMarkResponseObject, error) {
	made, err := s.backend.Mark(ctx, r.Id, r.Body.Text, r.Body.At.Time)
	return CreateMark201JSONResponse(made), err
}

// GetTimelineEDL answers GET /v1/channels/{id}/timeline.edl.
func (s *Server) GetTimelineEDL(_ context.Context, r GetTimelineEDLRequestObject) (GetTimelineEDLResponseObject, error) {
	text, err := s.backend.TimelineEDL(r.Id, r.Params.From, r.Params.To)
	return GetTimelineEDL200TextResponse(text), err
}

// GetTimelineVTT answers GET /v1/channels/{id}/timeline.vtt.
func (s *Server) GetTimelineVTT(_ context.Context, r GetTimelineVTTRequestObject) (GetTimelineVTTResponseObject, error) {
	text, err := s.backend.TimelineVTT(r.Id, r.Params.From, r.Params.To)
	return GetTimelineVTT200TextvttResponse{Body: bytes.NewReader(text), ContentLength: int64(len(text))}, err
}
