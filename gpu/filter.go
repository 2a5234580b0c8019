package gpu

/*
#include "scale.h"
*/
import "C"

// filterKey is what a scaling filter depends on: samples of the plane along one
// axis, and whether they are chroma across.
type filterKey struct{ from, to, left int }

func newFilter(key filterKey) *C.mr_filter {
	filter := C.mr_filter_new(C.int(key.from), C.int(key.to), C.int(key.left))
	if filter == nil {
		panic("gpu: out of memory for a filter")
	}
	return filter
}

func freeFilter(filter *C.mr_filter) { C.mr_filter_free(filter) }
