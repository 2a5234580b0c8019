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

// mr_scale_plane fills the destination that the two filters were made for.
// Returns 0, or -1 when memory is out.
int mr_scale_plane(const mr_filter *across, const mr_filter *down, const uint8_t *src, int src_stride, uint8_t *dst,
		   int dst_stride);

#endif
