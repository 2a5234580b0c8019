package api

import (
	"context"
	"encoding/json"
)

// Cut answers POST /v1/channels/{id}/cut.
func (s *Server) Cut(ctx context.Context, r CutRequestObject) (CutResponseObject, error) {
	take := Take{Program: &r.Body.Scene, Expect: r.Body.Expect.Program}
	if err := take.setAt(r.Body.At); err != nil {
		return nil, err
	}
	answer, err := s.backend.Take(ctx, r.Id, take)
	return Cut200JSONResponse(answer), err
}

// SetPreview answers POST /v1/channels/{id}/preview.
func (s *Server) SetPreview(ctx context.Context, r SetPreviewRequestObject) (SetPreviewResponseObject, error) {
	take := Take{Preview: &r.Body.Scene, Expect: r.Body.Expect.Program}
	if err := take.setAt(r.Body.At); err != nil {
		return nil, err
	}
	answer, err := s.backend.Take(ctx, r.Id, take)
	return SetPreview200JSONResponse(answer), err
}

// Auto answers POST /v1/channels/{id}/auto.
func (s *Server) Auto(ctx context.Context, r AutoRequestObject) (AutoResponseObject, error) {
	b := r.Body
	take := Take{Program: &b.Scene, Expect: b.Expect.Program, Auto: true, DurationMs: b.DurationMs, Transition: Transition{Type: b.Transition, Color: b.Color}}
	if err := take.setAt(b.At); err != nil {
		return nil, err
	}
	answer, err := s.backend.Take(ctx, r.Id, take)
	return Auto200JSONResponse(answer), err
}

// Tbar answers POST /v1/channels/{id}/tbar.
func (s *Server) Tbar(ctx context.Context, r TbarRequestObject) (TbarResponseObject, error) {
	b := r.Body
	take := Take{Program: &b.Scene, Expect: b.Expect.Program, TBar: &b.Position, Transition: Transition{Type: b.Transition, Color: b.Color}}
	if err := take.setAt(b.At); err != nil {
		return nil, err
	}
	answer, err := s.backend.Take(ctx, r.Id, take)
	return Tbar200JSONResponse(answer), err
}

// FadeToBlack answers POST /v1/channels/{id}/ftb.
func (s *Server) FadeToBlack(ctx context.Context, r FadeToBlackRequestObject) (FadeToBlackResponseObject, error) {
	b := r.Body
	take := Take{Expect: b.Expect.Program, Black: &Fade{b.On, b.DurationMs}}
	if err := take.setAt(b.At); err != nil {
		return nil, err
	}
	answer, err := s.backend.Take(ctx, r.Id, take)
	return FadeToBlack200JSONResponse(answer), err
}

// Batch answers POST /v1/channels/{id}/batch.
func (s *Server) Batch(ctx context.Context, r BatchRequestObject) (BatchResponseObject, error) {
	b := r.Body
	take := Take{Expect: b.Expect.Program, Overlays: b.Overlays}
	if b.Preview != "" {
		take.Preview = &b.Preview
	}
	if p := b.Program; p != nil {
		take.Program, take.DurationMs, take.Transition = &p.Scene, p.DurationMs, Transition{Type: p.Transition, Color: p.Color}
		take.Auto = p.Transition != "" || p.DurationMs != nil
	}
	if b.Ftb != nil {
		take.Black = &Fade{&b.Ftb.On, b.Ftb.DurationMs}
	}
	if take.Preview == nil && take.Program == nil && take.Black == nil && len(take.Overlays) == 0 {
		return nil, Invalid(Fault{Detail: "name at least one of preview, program, overlays and ftb"})
	}
	if err := take.setAt(b.At); err != nil {
		return nil, err
	}
	answer, err := s.backend.Take(ctx, r.Id, take)
	return Batch200JSONResponse(answer), err
}

// setAt reads the two forms of `at`: an instant or a frame.
func (t *Take) setAt(at At) error {
	text, err := at.MarshalJSON()
	if err != nil || string(text) == "null" || len(text) == 0 {
		return nil // absent: the next tick
	}
	if frame, err := at.AsAt1(); err == nil && frame.Frame > 0 {
		t.Frame = frame.Frame
		return nil
	}
	var instant Timestamp
	if err := json.Unmarshal(text, &instant); err != nil {
		return Invalid(Fault{Pointer: "/at", Detail: "neither an RFC 3339 instant nor {frame}"})
	}
	if t.Time = instant.Time; t.Time.IsZero() {
		t.Frame = 1 // as long past
	}
	return nil
}

// GetMultiview answers GET /v1/channels/{id}/multiview.
func (s *Server) GetMultiview(_ context.Context, r GetMultiviewRequestObject) (GetMultiviewResponseObject, error) {
	view, err := s.backend.Multiview(r.Id)
	return GetMultiview200JSONResponse(view), err
}
