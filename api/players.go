package api

import "context"

// PlayerOrder is what the player of a file source is told.
type PlayerOrder string

// The orders.
const (
	OrderPlay    PlayerOrder = "play"
	OrderPause   PlayerOrder = "pause"
	OrderRestart PlayerOrder = "restart"
	OrderCue     PlayerOrder = "cue"
)

// PlaySource answers POST /v1/sources/{id}/play.
func (s *Server) PlaySource(_ context.Context, r PlaySourceRequestObject) (PlaySourceResponseObject, error) {
	player, err := s.backend.PlayFile(r.Id, OrderPlay)
	return PlaySource200JSONResponse(player), err
}

// PauseSource answers POST /v1/sources/{id}/pause.
func (s *Server) PauseSource(_ context.Context, r PauseSourceRequestObject) (PauseSourceResponseObject, error) {
	player, err := s.backend.PlayFile(r.Id, OrderPause)
	return PauseSource200JSONResponse(player), err
}

// RestartSource answers POST /v1/sources/{id}/restart.
func (s *Server) RestartSource(_ context.Context, r RestartSourceRequestObject) (RestartSourceResponseObject, error) {
	player, err := s.backend.PlayFile(r.Id, OrderRestart)
	return RestartSource200JSONResponse(player), err
}

// CueSource answers POST /v1/sources/{id}/cue.
func (s *Server) CueSource(_ context.Context, r CueSourceRequestObject) (CueSourceResponseObject, error) {
	player, err := s.backend.PlayFile(r.Id, OrderCue)
	return CueSource200JSONResponse(player), err
}
