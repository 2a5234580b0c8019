package engine

import (
	"time"

	"millrace/internal/media"
	"millrace/mixer/worker"
)

// What counts as found, and as over. Between the two nothing changes, so that
// what is on the verge is one finding.
const (
	blackShare = 0.98 // of the picture is dark
	litShare   = 0.95 // and no longer is

	stillLevels  = 0.2 // mean difference from the picture that stands, in levels of luma of 256
	movingLevels = 0.5

	silentPeak = 0.001  // -60 dBFS
	heardPeak  = 0.0014 // -57 dBFS
)

// finder finds one kind of thing in one place.
type finder struct {
	kind   worker.FindingKind
	source string
	after  time.Duration

	seen  bool  // it holds
	since int64 // the frame on which it was seen first
	found bool  // it was said
}

// judge takes what was seen on frame n, due at t: whether it holds, and whether
// it is clearly over.
func (f *finder) judge(n int64, rate media.Rate, holds, over bool, say func(worker.Finding)) {
	switch {
	case !f.seen && holds:
		f.seen, f.since = true, n
	case f.seen && over:
		f.end(n, say)
	}
	if f.seen && !f.found && rate.At(n).Sub(rate.At(f.since)) >= f.after {
		f.found = true
		say(worker.Finding{Kind: f.kind, Source: f.source, Begin: f.since})
	}
}

// end says on frame n that what was found is over.
func (f *finder) end(n int64, say func(worker.Finding)) {
	if f.found {
		say(worker.Finding{Kind: f.kind, Source: f.source, Begin: f.since, End: n})
	}
	f.seen, f.found = false, false
}

// examiner looks for everything in one place.
type examiner struct {
	black, frozen, silent finder
	now, standing         glance // the picture, and the one that it may be frozen to
	began                 int64  // the frame of standing
}

func newExaminer(source string) *examiner {
	return &examiner{
		black:  finder{kind: worker.FindingBlack, source: source, after: worker.BlackAfter},
		frozen: finder{kind: worker.FindingFrozen, source: source, after: worker.FrozenAfter},
		silent: finder{kind: worker.FindingSilent, source: source, after: worker.SilentAfter},
	}
}

// examine judges the picture that now holds and the loudest sample since the last
// look; a negative one is no sound to judge.
func (x *examiner) examine(n int64, rate media.Rate, peak float32, say func(worker.Finding)) {
	share := x.now.black()
	x.black.judge(n, rate, share >= blackShare, share < litShare, say)

	difference := x.now.differs(&x.standing)
	moved := difference > movingLevels || difference > stillLevels && !x.frozen.found
	if moved {
		x.frozen.end(n, say)
		x.now, x.standing, x.began = x.standing, x.now, n
	} else {
		x.frozen.seen, x.frozen.since = true, x.began
		x.frozen.judge(n, rate, true, false, say)
	}
	x.listen(n, rate, peak, say)
}

func (x *examiner) listen(n int64, rate media.Rate, peak float32, say func(worker.Finding)) {
	if peak >= 0 {
		x.silent.judge(n, rate, peak <= silentPeak, peak > heardPeak, say)
	}
}

// close says that there is no picture any more.
func (x *examiner) close(n int64, say func(worker.Finding)) {
	x.black.end(n, say)
	x.frozen.end(n, say)
	x.standing = glance{}
}

// end says that there is nothing to look at and to hear any more.
func (x *examiner) end(n int64, say func(worker.Finding)) {
	x.close(n, say)
	x.silent.end(n, say)
}
