package api

import (
	"context"
	"maps"
)

// GetAudio answers GET /v1/channels/{id}/audio.
func (s *Server) GetAudio(_ context.Context, r GetAudioRequestObject) (GetAudioResponseObject, error) {
	audio, err := s.backend.Audio(r.Id)
	return GetAudio200JSONResponse(audio), err
}

// PatchAudio answers PATCH /v1/channels/{id}/audio. As all changes of sound it
// takes no If-Match: two hands on one fader both move it.
func (s *Server) PatchAudio(ctx context.Context, r PatchAudioRequestObject) (PatchAudioResponseObject, error) {
	audio, err := s.backend.UpdateAudio(ctx, r.Id, patched[AudioMap](s, "AudioMap", *r.JSONBody))
	return PatchAudio200JSONResponse(audio), err
}

// GetSourceAudio answers GET /v1/channels/{id}/audio/{source}.
func (s *Server) GetSourceAudio(_ context.Context, r GetSourceAudioRequestObject) (GetSourceAudioResponseObject, error) {
	audio, err := s.backend.Audio(r.Id)
	if err != nil {
		return nil, err
	}
	settings, ok := audio.Sources[r.Source]
	if !ok {
		return nil, NotFound("source", r.Source)
	}
	return GetSourceAudio200JSONResponse(settings), nil
}

// PatchSourceAudio answers PATCH /v1/channels/{id}/audio/{source}.
func (s *Server) PatchSourceAudio(ctx context.Context, r PatchSourceAudioRequestObject) (PatchSourceAudioResponseObject, error) {
	change := patched[AudioSettings](s, "AudioSettings", *r.JSONBody)
	var part string
	audio, err := s.backend.UpdateAudio(ctx, r.Id, func(audio AudioMap) (AudioMap, error) {
		settings, ok := audio.Sources[r.Source]
		if !ok {
			return audio, NotFound("source", r.Source)
		}
		settings, err := change(settings)
		if err != nil {
			return audio, err
		}
		part = "/sources/" + r.Source
		audio.Sources = maps.Clone(audio.Sources)
		audio.Sources[r.Source] = settings
		return audio, nil
	})
	if part != "" {
		err = within(err, part)
	}
	return PatchSourceAudio200JSONResponse(audio.Sources[r.Source]), err
}
