package api

import "context"

func webhookID(v WebhookView) string { return v.Id }

// ListWebhooks answers GET /v1/webhooks.
func (s *Server) ListWebhooks(_ context.Context, r ListWebhooksRequestObject) (ListWebhooksResponseObject, error) {
	items, next := page(s.backend.ListWebhooks(), webhookID, r.Params.Cursor, r.Params.Limit)
	return ListWebhooks200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateWebhook answers POST /v1/webhooks.
func (s *Server) CreateWebhook(ctx context.Context, r CreateWebhookRequestObject) (CreateWebhookResponseObject, error) {
	made, err := s.backend.CreateWebhook(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return CreateWebhook201JSONResponse{Body: made.Value, Headers: CreateWebhook201ResponseHeaders{
		ETag: etag(made.Revision), Location: "/v1/webhooks/" + made.Value.Id,
	}}, nil
}

// GetWebhook answers GET /v1/webhooks/{id}.
func (s *Server) GetWebhook(_ context.Context, r GetWebhookRequestObject) (GetWebhookResponseObject, error) {
	found, err := s.backend.GetWebhook(r.Id)
	if err != nil {
		return nil, err
	}
	return GetWebhook200JSONResponse{found.Value, GetWebhook200ResponseHeaders{etag(found.Revision)}}, nil
}

// PatchWebhook answers PATCH /v1/webhooks/{id}.
func (s *Server) PatchWebhook(ctx context.Context, r PatchWebhookRequestObject) (PatchWebhookResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	changed, err := s.backend.UpdateWebhook(ctx, r.Id, match, patched[Webhook](s, "Webhook", *r.JSONBody))
	if err != nil {
		return nil, err
	}
	return PatchWebhook200JSONResponse{changed.Value, PatchWebhook200ResponseHeaders{etag(changed.Revision)}}, nil
}

// DeleteWebhook answers DELETE /v1/webhooks/{id}.
func (s *Server) DeleteWebhook(ctx context.Context, r DeleteWebhookRequestObject) (DeleteWebhookResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteWebhook204Response{}, s.backend.DeleteWebhook(ctx, r.Id, match)
}

// RotateWebhookSecret answers POST /v1/webhooks/{id}/rotate-secret.
func (s *Server) RotateWebhookSecret(ctx context.Context, r RotateWebhookSecretRequestObject) (RotateWebhookSecretResponseObject, error) {
	changed, err := s.backend.RotateSecret(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return RotateWebhookSecret200JSONResponse{changed.Value, RotateWebhookSecret200ResponseHeaders{etag(changed.Revision)}}, nil
}

// TestWebhook answers POST /v1/webhooks/{id}/test.
func (s *Server) TestWebhook(ctx context.Context, r TestWebhookRequestObject) (TestWebhookResponseObject, error) {
	done, err := s.backend.TestWebhook(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return TestWebhook200JSONResponse(done), nil
}

// ListDeliveries answers GET /v1/webhooks/{id}/deliveries.
func (s *Server) ListDeliveries(_ context.Context, r ListDeliveriesRequestObject) (ListDeliveriesResponseObject, error) {
	list, err := s.backend.Deliveries(r.Id)
	if err != nil {
		return nil, err
	}
	return ListDeliveries200JSONResponse{Items: list}, nil
}
