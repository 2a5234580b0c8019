package api

import (
	"context"
	"net/http"
)

func keyID(k KeyView) string { return k.Id }

// ListKeys answers GET /v1/keys.
func (s *Server) ListKeys(_ context.Context, r ListKeysRequestObject) (ListKeysResponseObject, error) {
	items, next := page(s.backend.ListKeys(), keyID, r.Params.Cursor, r.Params.Limit)
	return ListKeys200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateKey answers POST /v1/keys.
func (s *Server) CreateKey(ctx context.Context, r CreateKeyRequestObject) (CreateKeyResponseObject, error) {
	made, err := s.backend.CreateKey(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return CreateKey201JSONResponse{Body: made.Value, Headers: CreateKey201ResponseHeaders{
		ETag: etag(made.Revision), Location: "/v1/keys/" + made.Value.Id,
	}}, nil
}

// GetKey answers GET /v1/keys/{id}.
func (s *Server) GetKey(_ context.Context, r GetKeyRequestObject) (GetKeyResponseObject, error) {
	found, err := s.backend.GetKey(r.Id)
	if err != nil {
		return nil, err
	}
	return GetKey200JSONResponse{found.Value, GetKey200ResponseHeaders{etag(found.Revision)}}, nil
}

// DeleteKey answers DELETE /v1/keys/{id}.
func (s *Server) DeleteKey(ctx context.Context, r DeleteKeyRequestObject) (DeleteKeyResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteKey204Response{}, s.backend.DeleteKey(ctx, r.Id, match)
}

// CreateSession answers POST /v1/session.
func (s *Server) CreateSession(ctx context.Context, r CreateSessionRequestObject) (CreateSessionResponseObject, error) {
	session, holder, err := s.backend.OpenSession(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	become(ctx, holder)
	cookie := &http.Cookie{
		Name: sessionCookie, Value: session, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
		MaxAge: int(cookieLife.Seconds()),
	}
	return CreateSession200JSONResponse{Body: viewSession(holder), Headers: CreateSession200ResponseHeaders{SetCookie: cookie.String()}}, nil
}

// GetSession answers GET /v1/session: who asks.
func (s *Server) GetSession(ctx context.Context, _ GetSessionRequestObject) (GetSessionResponseObject, error) {
	return GetSession200JSONResponse(viewSession(Who(ctx))), nil
}

func viewSession(holder Identity) Session {
	return Session{Kind: SessionKind(holder.Kind), Id: holder.ID, Name: holder.Name, Scopes: holder.Scopes}
}

// DeleteSession answers DELETE /v1/session.
func (s *Server) DeleteSession(ctx context.Context, _ DeleteSessionRequestObject) (DeleteSessionResponseObject, error) {
	if session, ok := ctx.Value(sessionKey{}).(string); ok {
		if err := s.backend.CloseSession(ctx, session); err != nil {
			return nil, err
		}
	}
	expired := &http.Cookie{Name: sessionCookie, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode, MaxAge: -1}
	return DeleteSession204Response{DeleteSession204ResponseHeaders{SetCookie: expired.String()}}, nil
}

// GetSystem answers GET /v1/system.
func (s *Server) GetSystem(context.Context, GetSystemRequestObject) (GetSystemResponseObject, error) {
	return GetSystem200JSONResponse(s.backend.System()), nil
}

// ListFigures answers GET /v1/system/figures.
func (s *Server) ListFigures(_ context.Context, r ListFiguresRequestObject) (ListFiguresResponseObject, error) {
	return ListFigures200JSONResponse{Items: s.backend.Figures(r.Params.Since)}, nil
}

// GetCapabilities answers GET /v1/system/capabilities.
func (s *Server) GetCapabilities(context.Context, GetCapabilitiesRequestObject) (GetCapabilitiesResponseObject, error) {
	return GetCapabilities200JSONResponse(s.backend.Capabilities()), nil
}
