// The pixel contract's area average for exactly half the size both ways, the
// commonest one: every rounding is the contract's. Needs AVX2.
#ifndef MILLRACE_HALVE_H
#define MILLRACE_HALVE_H

#include <stdint.h>

// mr_halve_plane writes columns [from, to) of so many rows out of twice as many
// each way; left is 1 for chroma planes.
void mr_halve_plane(const uint8_t *src, int src_stride, uint8_t *dst, int dst_stride, int from, int to, int height, int left);

#endif
