package api

import "context"

func userID(v UserView) string { return v.Id }

// ListUsers answers GET /v1/users.
func (s *Server) ListUsers(_ context.Context, r ListUsersRequestObject) (ListUsersResponseObject, error) {
	items, next := page(s.backend.ListUsers(), userID, r.Params.Cursor, r.Params.Limit)
	return ListUsers200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateUser answers POST /v1/users.
func (s *Server) CreateUser(ctx context.Context, r CreateUserRequestObject) (CreateUserResponseObject, error) {
	made, err := s.backend.CreateUser(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return CreateUser201JSONResponse{Body: made.Value, Headers: CreateUser201ResponseHeaders{
		ETag: etag(made.Revision), Location: "/v1/users/" + made.Value.Id,
	}}, nil
}

// GetUser answers GET /v1/users/{id}.
func (s *Server) GetUser(_ context.Context, r GetUserRequestObject) (GetUserResponseObject, error) {
	found, err := s.backend.GetUser(r.Id)
	if err != nil {
		return nil, err
	}
	return GetUser200JSONResponse{found.Value, GetUser200ResponseHeaders{etag(found.Revision)}}, nil
}

// PatchUser answers PATCH /v1/users/{id}.
func (s *Server) PatchUser(ctx context.Context, r PatchUserRequestObject) (PatchUserResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	change := patched[User](s, "User", *r.JSONBody)
	changed, err := s.backend.UpdateUser(ctx, r.Id, match, func(present User) (User, error) {
		user, err := change(present)
		if err == nil && user.Id != r.Id {
			err = Invalid(Fault{Pointer: "/id", Detail: "an id never changes; make a new user"})
		}
		return user, err
	})
	if err != nil {
		return nil, err
	}
	return PatchUser200JSONResponse{changed.Value, PatchUser200ResponseHeaders{etag(changed.Revision)}}, nil
}

// DeleteUser answers DELETE /v1/users/{id}.
func (s *Server) DeleteUser(ctx context.Context, r DeleteUserRequestObject) (DeleteUserResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteUser204Response{}, s.backend.DeleteUser(ctx, r.Id, match)
}
