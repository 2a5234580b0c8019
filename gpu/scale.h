// A scaler for one plane by the pixel contract's filters, with weights rounded
// to 1/128 across and 1/32768 down. Needs AVX2.
#ifndef MILLRACE_SCALE_H
#define MILLRACE_SCALE_H

#include <stdint.h>

// mr_filter holds the weights of one axis. Immutable, shared by any number of
// calls.
typedef struct mr_filter mr_filter;

// mr_filter_supported reports whether this machine and these sizes can be
// filtered: at most 7 to 1.
int mr_filter_supported(int from, int to);

// mr_filter_new makes the filter from `from` samples to `to`; left is 1 across
// chroma planes. NULL when memory is out.
mr_filter *mr_filter_new(int from, int to, int left);
void mr_filter_free(mr_filter *filter);

// mr_part is a rectangle of a picture or of one of its planes.
typedef struct {
	int left, top, right, bottom;
} mr_part;

// mr_scaler is one plane on its way. The source rows come from the top down, as
// they get ready, so that several scalers may read them while they are near.
typedef struct {
	const mr_filter *across, *down;
	const uint8_t *src;
	int src_stride;
	uint8_t *dst;
	int dst_stride;
	mr_part part;  // of dst that is written
	int16_t *ring; // of rows filtered across
	int y, next;   // the next row of dst; of src to be filtered across
} mr_scaler;

// mr_scaler_start prepares a part of the planes that the two filters were made
// for: its samples have the value that they have in the whole. Returns 0, or -1
// when memory is out; mr_scaler_free in either case.
int mr_scaler_start(mr_scaler *scaler, const mr_filter *across, const mr_filter *down, const uint8_t *src, int src_stride,
		    uint8_t *dst, int dst_stride, mr_part part);

// mr_scaler_feed writes the part's rows, at most dst's first `until`, that follow
// from the first `ready` rows of src.
void mr_scaler_feed(mr_scaler *scaler, int ready, int until);
void mr_scaler_free(mr_scaler *scaler);

#endif
