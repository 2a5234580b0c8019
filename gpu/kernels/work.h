// The work list: what one launch of the kernel draws, as it lies in device
// memory. C, CUDA and the host agree on its layout (64-bit pointers).
#ifndef MILLRACE_WORK_H
#define MILLRACE_WORK_H

#include "pixel.h"

enum {
	PX_LUMA_TILE = 128,  // luma samples across a block's tile
	PX_CHROMA_TILE = 64, // chroma samples across, of two planes
	PX_TILE_ROWS = 32,
	PX_REACH = 16,       // samples that a tile may reach over its edge, at most
	PX_LAYERS = 256,     // of one show, at most
	PX_RUNGS = 32,       // likewise
};

// px_show is one canvas with its ladder.
typedef struct {
	px_picture canvas;
	const px_layer *layers;
	const px_picture *rungs;
	px_int layer_count, rung_count;
	px_int reach_x, reach_y; // samples beyond a tile that its rungs depend on
	px_int luma_tiles, tiles; // blocks for luma, blocks
	px_byte background[4];
} px_show;

PX_FUNCTION px_int px_over(px_int a, px_int b) { return (a + b - 1) / b; }

// px_far says whether a rung is so small that its pixels depend on more than a
// tile may hold.
PX_FUNCTION px_int px_far(const px_picture *canvas, const px_picture *rung)
{
	return px_over(canvas->width, rung->width) > PX_REACH || px_over(canvas->height, rung->height) > PX_REACH;
}

#endif
