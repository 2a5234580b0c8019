package api

import "context"

func jobID(j Job) string { return j.Id }

// ListJobs answers GET /v1/jobs.
func (s *Server) ListJobs(_ context.Context, r ListJobsRequestObject) (ListJobsResponseObject, error) {
	var all []Stored[Job]
	for _, job := range s.backend.ListJobs() {
		all = append(all, Stored[Job]{Value: job})
	}
	items, next := page(all, jobID, r.Params.Cursor, r.Params.Limit)
	return ListJobs200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetJob answers GET /v1/jobs/{id}.
func (s *Server) GetJob(_ context.Context, r GetJobRequestObject) (GetJobResponseObject, error) {
	job, err := s.backend.GetJob(r.Id)
	return GetJob200JSONResponse(job), err
}
