// What the CPU compositor does to pixels: a list of operations, run in order.
#ifndef MILLRACE_COMPOSE_H
#define MILLRACE_COMPOSE_H

#include "scale.h"

#include <stdint.h>

// mr_view is a rectangle of an 8-bit 4:2:0 picture. All sizes are even.
typedef struct {
	uint8_t *plane[3];
	int stride[3]; // bytes
	int width, height;
} mr_view;

enum {
	MR_FILL,
	MR_SCALE,  // by libyuv
	MR_HALVE,  // to half the size both ways
	MR_FILTER, // with our filters
	MR_MIX,
};

// mr_op writes dst.
typedef struct {
	int kind;
	mr_view dst;
	mr_view src;      // MR_MIX: of dst's size
	const mr_filter *across[2], *down[2]; // MR_FILTER: of luma and chroma
	int rung;         // MR_FILTER: src is the finished canvas, dst a picture of its own
	uint8_t color[3]; // MR_FILL; MR_MIX: of the border
	int opacity;      // MR_MIX: 0..255
	// MR_MIX: coverage by the shape and by the inner shape, luma and chroma;
	// NULL covers everything.
	const uint8_t *shape[2], *inner[2];
	int mask_stride[2];
} mr_op;

void mr_run(const mr_op *ops, int count);

#endif
