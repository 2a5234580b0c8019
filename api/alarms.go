package api

import (
	"context"
	"time"
)

func alarmID(a Alarm) string { return a.Id }

// ListAlarms answers GET /v1/alarms.
func (s *Server) ListAlarms(_ context.Context, r ListAlarmsRequestObject) (ListAlarmsResponseObject, error) {
	var chosen []Stored[Alarm]
	for _, alarm := range s.backend.ListAlarms() {
		if r.Params.State == "" || r.Params.State == ListAlarmsParamsStateAll || string(alarm.Value.State) == string(r.Params.State) {
			chosen = append(chosen, alarm)
		}
	}
	items, next := page(chosen, alarmID, r.Params.Cursor, r.Params.Limit)
	return ListAlarms200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetAlarm answers GET /v1/alarms/{id}.
func (s *Server) GetAlarm(_ context.Context, r GetAlarmRequestObject) (GetAlarmResponseObject, error) {
	found, err := s.backend.GetAlarm(r.Id)
	if err != nil {
		return nil, err
	}
	return GetAlarm200JSONResponse{found.Value, GetAlarm200ResponseHeaders{etag(found.Revision)}}, nil
}

// AcknowledgeAlarm answers POST /v1/alarms/{id}/acknowledge.
func (s *Server) AcknowledgeAlarm(ctx context.Context, r AcknowledgeAlarmRequestObject) (AcknowledgeAlarmResponseObject, error) {
	found, err := s.backend.Acknowledge(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return AcknowledgeAlarm200JSONResponse{found.Value, AcknowledgeAlarm200ResponseHeaders{etag(found.Revision)}}, nil
}

// ShelveAlarm answers POST /v1/alarms/{id}/shelve.
func (s *Server) ShelveAlarm(ctx context.Context, r ShelveAlarmRequestObject) (ShelveAlarmResponseObject, error) {
	found, err := s.backend.Shelve(ctx, r.Id, time.Duration(r.Body.DurationMs)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	return ShelveAlarm200JSONResponse{found.Value, ShelveAlarm200ResponseHeaders{etag(found.Revision)}}, nil
}

// GetAlarmThresholds answers GET /v1/alarms/thresholds.
func (s *Server) GetAlarmThresholds(context.Context, GetAlarmThresholdsRequestObject) (GetAlarmThresholdsResponseObject, error) {
	found := s.backend.Thresholds()
	return GetAlarmThresholds200JSONResponse{found.Value, GetAlarmThresholds200ResponseHeaders{etag(found.Revision)}}, nil
}

// PatchAlarmThresholds answers PATCH /v1/alarms/thresholds.
func (s *Server) PatchAlarmThresholds(ctx context.Context, r PatchAlarmThresholdsRequestObject) (PatchAlarmThresholdsResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	changed, err := s.backend.UpdateThresholds(ctx, match, patched[AlarmThresholds](s, "AlarmThresholds", *r.JSONBody))
	if err != nil {
		return nil, err
	}
	return PatchAlarmThresholds200JSONResponse{changed.Value, PatchAlarmThresholds200ResponseHeaders{etag(changed.Revision)}}, nil
}
