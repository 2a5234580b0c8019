package appliance

import (
	"cmp"
	"slices"

	"millrace/api"
)

// A job is a view of what it makes, so that it outlives a restart and says
// nothing else than that does.

// ListJobs implements api.Jobs.
func (c *channels) ListJobs() []api.Job {
	jobs := []api.Job{}
	for _, s := range c.archive.clips.all() {
		if s.Value.Job != "" {
			jobs = append(jobs, c.jobOf(s.Value))
		}
	}
	slices.SortFunc(jobs, func(a, b api.Job) int { return cmp.Compare(a.Id, b.Id) })
	return jobs
}

// GetJob implements api.Jobs.
func (c *channels) GetJob(id string) (api.Job, error) {
	for _, s := range c.archive.clips.all() {
		if s.Value.Job == id {
			return c.jobOf(s.Value), nil
		}
	}
	return api.Job{}, api.NotFound("job", id)
}

// storing is the share of an exact clip's progress that ends when it is stored.
const storing = 0.9

func (c *channels) jobOf(clip storedClip) api.Job {
	job := api.Job{
		Id: clip.Job, Kind: api.JobKindClip, State: api.JobStateWaiting, CreatedAt: stamp(clip.Created),
		Reason: clip.Failure, Result: "/v1/clips/" + clip.ID,
	}
	held := c.held(clip.Channel, clip.From, clip.To)
	job.Progress = float64(held.last+1-clip.From) / float64(clip.To-clip.From)
	complete := c.complete(clip, held)
	switch {
	case clip.Failure != "":
		job.State, job.Progress = api.JobStateFailed, storing
	case complete && (clip.Made || !clip.exact()):
		job.State, job.Progress = api.JobStateDone, 1
	case complete:
		job.State, job.Progress = api.JobStateRunning, storing
	case clip.exact():
		job.Progress *= storing
	}
	return job
}
