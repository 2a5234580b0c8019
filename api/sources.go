package api

import (
	"bytes"
	"context"
)

func sourceID(v SourceView) string { return v.Id }

// ListSources answers GET /v1/sources.
func (s *Server) ListSources(_ context.Context, r ListSourcesRequestObject) (ListSourcesResponseObject, error) {
	items, next := page(s.backend.ListSources(), sourceID, r.Params.Cursor, r.Params.Limit)
	return ListSources200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateSource answers POST /v1/sources.
func (s *Server) CreateSource(ctx context.Context, r CreateSourceRequestObject) (CreateSourceResponseObject, error) {
	made, err := s.backend.CreateSource(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return CreateSource201JSONResponse{Body: made.Value, Headers: CreateSource201ResponseHeaders{
		ETag: etag(made.Revision), Location: "/v1/sources/" + made.Value.Id,
	}}, nil
}

// GetSource answers GET /v1/sources/{id}.
func (s *Server) GetSource(_ context.Context, r GetSourceRequestObject) (GetSourceResponseObject, error) {
	found, err := s.backend.GetSource(r.Id)
	if err != nil {
		return nil, err
	}
	return GetSource200JSONResponse{found.Value, GetSource200ResponseHeaders{etag(found.Revision)}}, nil
}

// PutSource answers PUT /v1/sources/{id}.
func (s *Server) PutSource(ctx context.Context, r PutSourceRequestObject) (PutSourceResponseObject, error) {
	changed, err := s.updateSource(ctx, r.Id, r.Params.IfMatch, func(Source) (Source, error) { return *r.Body, nil })
	if err != nil {
		return nil, err
	}
	return PutSource200JSONResponse{changed.Value, PutSource200ResponseHeaders{etag(changed.Revision)}}, nil
}

// PatchSource answers PATCH /v1/sources/{id}.
func (s *Server) PatchSource(ctx context.Context, r PatchSourceRequestObject) (PatchSourceResponseObject, error) {
	changed, err := s.updateSource(ctx, r.Id, r.Params.IfMatch, patched[Source](s, "Source", *r.JSONBody))
	if err != nil {
		return nil, err
	}
	return PatchSource200JSONResponse{changed.Value, PatchSource200ResponseHeaders{etag(changed.Revision)}}, nil
}

func (s *Server) updateSource(ctx context.Context, id, ifMatch string, change func(Source) (Source, error)) (Stored[SourceView], error) {
	match, err := parseMatch(ifMatch)
	if err != nil {
		return Stored[SourceView]{}, err
	}
	return s.backend.UpdateSource(ctx, id, match, func(present Source) (Source, error) {
		changed, err := change(present)
		if err == nil && changed.Id != id {
			err = Invalid(Fault{Pointer: "/id", Detail: "an id never changes; make a new source"})
		}
		return changed, err
	})
}

// DeleteSource answers DELETE /v1/sources/{id}.
func (s *Server) DeleteSource(ctx context.Context, r DeleteSourceRequestObject) (DeleteSourceResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteSource204Response{}, s.backend.DeleteSource(ctx, r.Id, match)
}

// GetSourceStats answers GET /v1/sources/{id}/stats.
func (s *Server) GetSourceStats(_ context.Context, r GetSourceStatsRequestObject) (GetSourceStatsResponseObject, error) {
	stats, err := s.backend.SourceStats(r.Id)
	return GetSourceStats200JSONResponse(stats), err
}

// RotateSourceKey answers POST /v1/sources/{id}/rotate-key.
func (s *Server) RotateSourceKey(ctx context.Context, r RotateSourceKeyRequestObject) (RotateSourceKeyResponseObject, error) {
	changed, err := s.backend.RotateKey(ctx, r.Id)
	return RotateSourceKey200JSONResponse{changed.Value, RotateSourceKey200ResponseHeaders{etag(changed.Revision)}}, err
}

// RevealSourceKey answers POST /v1/sources/{id}/reveal-key.
func (s *Server) RevealSourceKey(ctx context.Context, r RevealSourceKeyRequestObject) (RevealSourceKeyResponseObject, error) {
	found, err := s.backend.RevealKey(ctx, r.Id)
	return RevealSourceKey200JSONResponse{found.Value, RevealSourceKey200ResponseHeaders{etag(found.Revision)}}, err
}

// KickSource answers POST /v1/sources/{id}/kick.
func (s *Server) KickSource(ctx context.Context, r KickSourceRequestObject) (KickSourceResponseObject, error) {
	return KickSource204Response{}, s.backend.KickSource(ctx, r.Id)
}

// GetSourceThumbnail answers GET /v1/sources/{id}/thumbnail.jpg.
func (s *Server) GetSourceThumbnail(ctx context.Context, r GetSourceThumbnailRequestObject) (GetSourceThumbnailResponseObject, error) {
	jpeg, err := s.backend.SourceThumbnail(ctx, r.Id)
	return GetSourceThumbnail200ImagejpegResponse{Body: bytes.NewReader(jpeg), ContentLength: int64(len(jpeg))}, err
}
