#include "compose.h"

#include <libyuv/planar_functions.h>
#include <libyuv/scale.h>
#include <string.h>

static void fill(const mr_op *op)
{
	for (int p = 0; p < 3; p++) {
		int chroma = p > 0;
		SetPlane(op->dst.plane[p], op->dst.stride[p], op->dst.width >> chroma, op->dst.height >> chroma,
			 op->color[p]);
	}
}

static void scale(const mr_op *op)
{
	for (int p = 0; p < 3; p++) {
		int chroma = p > 0;
		const mr_filter *across = op->across[chroma], *down = op->down[chroma];
		if (across && down &&
		    mr_scale_plane(across, down, op->src.plane[p], op->src.stride[p], op->dst.plane[p], op->dst.stride[p]) == 0)
			continue;
		ScalePlane(op->src.plane[p], op->src.stride[p], op->src.width >> chroma, op->src.height >> chroma,
			   op->dst.plane[p], op->dst.stride[p], op->dst.width >> chroma, op->dst.height >> chroma,
			   kFilterBox);
	}
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
	for (int i = 0; i < count; i++) {
		switch (ops[i].kind) {
		case MR_FILL: fill(&ops[i]); break;
		case MR_SCALE: scale(&ops[i]); break;
		case MR_MIX: mix(&ops[i]); break;
		}
	}
}
