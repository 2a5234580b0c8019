#include "compose.h"

#include "halve.h"

#include <libyuv/planar_functions.h>
#include <libyuv/scale.h>
#include <string.h>

enum {
	MAX_LADDER = 16, // operations done side by side
	BAND = 32,       // rows: of a 4K picture they and what they give fit a core's own cache
};

static void fill(const mr_op *op)
{
	for (int p = 0; p < 3; p++) {
		int chroma = p > 0;
		SetPlane(op->dst.plane[p], op->dst.stride[p], op->dst.width >> chroma, op->dst.height >> chroma,
			 op->color[p]);
	}
}

static void scale_by_libyuv(const mr_op *op)
{
	for (int p = 0; p < 3; p++) {
		int chroma = p > 0;
		ScalePlane(op->src.plane[p], op->src.stride[p], op->src.width >> chroma, op->src.height >> chroma,
			   op->dst.plane[p], op->dst.stride[p], op->dst.width >> chroma, op->dst.height >> chroma,
			   kFilterBox);
	}
}

static void halve(const mr_op *op)
{
	for (int p = 0; p < 3; p++) {
		int chroma = p > 0;
		mr_halve_plane(op->src.plane[p], op->src.stride[p], op->dst.plane[p], op->dst.stride[p],
			       op->dst.width >> chroma, op->dst.height >> chroma, chroma);
	}
}

// filter_plane does plane p of operations that read one picture, band by band,
// so that what one of them fetched is still near for the others.
static int filter_plane(const mr_op *ops, int count, int p)
{
	int chroma = p > 0, height = ops->src.height >> chroma, failed = 0;
	mr_scaler scalers[MAX_LADDER];
	for (int i = 0; i < count; i++) {
		const mr_op *op = &ops[i];
		failed |= mr_scaler_start(&scalers[i], op->across[chroma], op->down[chroma], op->src.plane[p],
					  op->src.stride[p], op->dst.plane[p], op->dst.stride[p]);
	}
	for (int ready = BAND; !failed && ready < height + BAND; ready += BAND)
		for (int i = 0; i < count; i++)
			mr_scaler_feed(&scalers[i], ready < height ? ready : height);
	for (int i = 0; i < count; i++)
		mr_scaler_free(&scalers[i]);
	return failed;
}

// filter does count operations that read one picture.
static void filter(const mr_op *ops, int count)
{
	for (int p = 0; p < 3; p++) {
		if (filter_plane(ops, count, p) == 0)
			continue;
		for (int i = 0; i < count; i++) // out of memory for rows
			scale_by_libyuv(&ops[i]);
		return;
	}
}

// rungs is the number of operations from the first on that may be done side by side.
static int rungs(const mr_op *ops, int count)
{
	int n = 1;
	while (ops->rung && n < count && n < MAX_LADDER && ops[n].kind == MR_FILTER && ops[n].rung)
		n++;
	return n;
}

// mix255 is the pixel contract's mix, in 16 bits.
static inline uint8_t mix255(uint16_t a, uint16_t b, uint16_t c)
{
	uint16_t v = (uint16_t)(a * (uint16_t)(255 - c) + b * c + 128);
	return (uint8_t)((uint16_t)(v + (v >> 8)) >> 8);
}

static void mix_row(uint8_t *restrict dst, const uint8_t *restrict src, int width, uint8_t opacity)
{
	for (int x = 0; x < width; x++)
		dst[x] = mix255(dst[x], src[x], opacity);
}

static void mix_shaped_row(uint8_t *restrict dst, const uint8_t *restrict src, int width, uint8_t opacity,
			   const uint8_t *restrict shape)
{
	for (int x = 0; x < width; x++)
		dst[x] = mix255(dst[x], src[x], mix255(0, shape[x], opacity));
}

static void mix_bordered_row(uint8_t *restrict dst, const uint8_t *restrict src, int width, uint8_t opacity,
			     const uint8_t *restrict shape, const uint8_t *restrict inner, uint8_t color)
{
	for (int x = 0; x < width; x++)
		dst[x] = mix255(dst[x], mix255(color, src[x], inner[x]), mix255(0, shape[x], opacity));
}

static void mix(const mr_op *op)
{
	for (int p = 0; p < 3; p++) {
		int chroma = p > 0, width = op->dst.width >> chroma;
		const uint8_t *shape = op->shape[chroma], *inner = op->inner[chroma];
		for (int y = 0; y < op->dst.height >> chroma; y++) {
			uint8_t *dst = op->dst.plane[p] + (intptr_t)y * op->dst.stride[p];
			const uint8_t *src = op->src.plane[p] + (intptr_t)y * op->src.stride[p];
			intptr_t at = (intptr_t)y * op->mask_stride[chroma];
			if (inner)
				mix_bordered_row(dst, src, width, op->opacity, shape + at, inner + at, op->color[p]);
			else if (shape)
				mix_shaped_row(dst, src, width, op->opacity, shape + at);
			else if (op->opacity == 255)
				memcpy(dst, src, width);
			else
				mix_row(dst, src, width, op->opacity);
		}
	}
}

void mr_run(const mr_op *ops, int count)
{
	for (int i = 0, n = 1; i < count; i += n, n = 1) {
		switch (ops[i].kind) {
		case MR_FILL: fill(&ops[i]); break;
		case MR_SCALE: scale_by_libyuv(&ops[i]); break;
		case MR_HALVE: halve(&ops[i]); break;
		case MR_FILTER: filter(&ops[i], n = rungs(&ops[i], count - i)); break;
		case MR_MIX: mix(&ops[i]); break;
		}
	}
}
