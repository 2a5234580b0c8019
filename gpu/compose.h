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

// Where an operation writes.
enum {
	MR_SCRATCH, // a picture that canvas operations read
	MR_CANVAS,  // part of the canvas
	MR_RUNG,    // a picture of its own, from all of the canvas
};

// mr_op writes part of dst, every sample with the value that it has when all of
// dst is written.
typedef struct {
	int kind;
	int target;
	int top; // MR_CANVAS: the canvas row on which dst begins; even
	mr_view dst;
	mr_part part;                         // of dst; all of it where libyuv scales and does not copy
	mr_view src;                          // MR_MIX: of dst's size
	const mr_filter *across[2], *down[2]; // MR_FILTER: of luma and chroma
	uint8_t color[3];                     // MR_FILL; MR_MIX: of the border
	int opacity;                          // MR_MIX: 0..255
	// MR_MIX: coverage by the shape and by the inner shape, luma and chroma;
	// NULL covers everything.
	const uint8_t *shape[2], *inner[2];
	int mask_stride[2];
} mr_op;

// mr_run does the operations: those on scratch pictures, then those on the
// canvas, which has so many rows, and those on rungs. Within one target they are
// done in order. Returns 0, or -1 with nothing done when memory is out.
int mr_run(const mr_op *ops, int count, int rows);

#endif
