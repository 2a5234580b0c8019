package api

import "context"

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
