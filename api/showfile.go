package api

import "context"

// ExportShow answers GET /v1/export.
func (s *Server) ExportShow(_ context.Context, r ExportShowRequestObject) (ExportShowResponseObject, error) {
	show, err := s.backend.ExportShow(r.Params.Secrets)
	if err != nil {
		return nil, err
	}
	return ExportShow200JSONResponse(show), nil
}

// ImportShow answers POST /v1/import.
func (s *Server) ImportShow(ctx context.Context, r ImportShowRequestObject) (ImportShowResponseObject, error) {
	answer, err := s.backend.ImportShow(ctx, *r.Body, r.Params.DryRun, r.Params.Prune)
	if err != nil {
		return nil, err
	}
	return ImportShow200JSONResponse(answer), nil
}
