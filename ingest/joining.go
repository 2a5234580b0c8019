package ingest

import (
	"time"

	"millrace/internal/media"
)

const (
	joinLeast = 500 * time.Millisecond // of sound: a container shows how much it packs
	joinQuiet = 250 * time.Millisecond // without a better measure: the clock has settled
	joinMost  = 1500 * time.Millisecond
	joinBytes = 1 << 20
)

// joining keeps back the first sound of a publisher while its clock is being
// anchored: pictures may jump then, sound would break or glide. What it keeps
// is let out in one piece, which is early enough to be heard for the most part.
type joining struct {
	kept  []arrived
	bytes int
	over  bool
}

// arrived is an access unit that was noted by the timeline and waits.
type arrived struct {
	unit    AccessUnit
	arrival media.Time
}

func (j *joining) keep(u AccessUnit, arrival media.Time) {
	j.kept = append(j.kept, arrived{u, arrival})
	j.bytes += len(u.Data)
}

// ends reports whether what was kept is to be let out now.
func (j *joining) ends(now media.Time, timeline *Timeline) bool {
	if len(j.kept) == 0 {
		return false
	}
	waited := now.Sub(j.kept[0].arrival)
	return j.bytes > joinBytes || waited >= joinMost ||
		waited >= joinLeast && timeline.Settled(now, joinQuiet)
}
