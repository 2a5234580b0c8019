#include "compose.h"

#include "halve.h"

#include <libyuv/planar_functions.h>
#include <libyuv/scale.h>
#include <stdlib.h>
#include <string.h>

// BAND is how many rows of the canvas are drawn before the rungs read them: of
// a 4K picture they and what is made of them fit a core's own cache.
enum { BAND = 32 };

// work is an operation under way.
typedef struct {
	const mr_op *op;
	mr_scaler scaler[3]; // MR_FILTER
} work;

static uint8_t *row_of(const mr_view *view, int p, int y) { return view->plane[p] + (intptr_t)y * view->stride[p]; }

static int is_copy(const mr_op *op)
{
	return op->kind == MR_SCALE && op->src.width == op->dst.width && op->src.height == op->dst.height;
}

// scale_by_libyuv does all rows at once, unless they are copied.
static void scale_by_libyuv(const mr_op *op, int p, int from, int to)
{
	const mr_view *src = &op->src, *dst = &op->dst;
	int chroma = p > 0, left = op->part.left >> chroma, right = op->part.right >> chroma;
	if (is_copy(op))
		CopyPlane(row_of(src, p, from) + left, src->stride[p], row_of(dst, p, from) + left, dst->stride[p],
			  right - left, to - from);
	else
		ScalePlane(src->plane[p], src->stride[p], src->width >> chroma, src->height >> chroma, dst->plane[p],
			   dst->stride[p], dst->width >> chroma, dst->height >> chroma, kFilterBox);
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

static void mix_rows(const mr_op *op, int p, int from, int to)
{
	int chroma = p > 0, left = op->part.left >> chroma, width = (op->part.right >> chroma) - left;
	const uint8_t *shape = op->shape[chroma], *inner = op->inner[chroma];
	for (int y = from; y < to; y++) {
		uint8_t *dst = row_of(&op->dst, p, y) + left;
		const uint8_t *src = row_of(&op->src, p, y) + left;
		intptr_t at = (intptr_t)y * op->mask_stride[chroma] + left;
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

// draw writes rows [from, to) of the operation's dst, of which ready rows of src
// are there; those outside of its part are left. Rows are luma's, even, and
// follow those of the call before.
static void draw(work *work, int from, int to, int ready)
{
	const mr_op *op = work->op;
	from = from > op->part.top ? from : op->part.top;
	to = to < op->part.bottom ? to : op->part.bottom;
	if (from >= to)
		return;
	for (int p = 0; p < 3; p++) {
		int chroma = p > 0, first = from >> chroma, end = to >> chroma;
		int left = op->part.left >> chroma, right = op->part.right >> chroma;
		switch (op->kind) {
		case MR_FILL:
			SetPlane(row_of(&op->dst, p, first) + left, op->dst.stride[p], right - left, end - first, op->color[p]);
			break;
		case MR_SCALE: scale_by_libyuv(op, p, first, end); break;
		case MR_HALVE:
			mr_halve_plane(row_of(&op->src, p, 2 * first), op->src.stride[p], row_of(&op->dst, p, first),
				       op->dst.stride[p], left, right, end - first, chroma);
			break;
		case MR_FILTER: mr_scaler_feed(&work->scaler[p], ready >> chroma, end); break;
		case MR_MIX: mix_rows(op, p, first, end); break;
		}
	}
}

// draw_band writes what the operation has to do with canvas rows [from, to).
static void draw_band(work *work, int from, int to)
{
	const mr_op *op = work->op;
	int height = op->dst.height;
	if (op->target == MR_CANVAS) {
		int first = from > op->top ? from - op->top : 0, end = to - op->top < height ? to - op->top : height;
		if (first < end)
			draw(work, first, end, op->src.height);
	} else if (op->kind == MR_HALVE) {
		draw(work, from / 2, to / 2, to);
	} else if (op->kind == MR_FILTER || to == op->src.height) {
		draw(work, 0, height, to);
	}
}

static void finish(work *works, int count)
{
	for (int i = 0; i < 3 * count; i++)
		mr_scaler_free(&works[i / 3].scaler[i % 3]);
	free(works);
}

// begin gives the operations' state, NULL when memory is out.
static work *begin(const mr_op *ops, int count)
{
	work *works = calloc(count, sizeof *works);
	for (int i = 0; works && i < 3 * count; i++) {
		const mr_op *op = works[i / 3].op = &ops[i / 3];
		int p = i % 3, chroma = p > 0;
		if (op->kind == MR_FILTER &&
		    mr_scaler_start(&works[i / 3].scaler[p], op->across[chroma], op->down[chroma], op->src.plane[p],
				    op->src.stride[p], op->dst.plane[p], op->dst.stride[p],
				    (mr_part){op->part.left >> chroma, op->part.top >> chroma, op->part.right >> chroma,
					      op->part.bottom >> chroma})) {
			finish(works, count);
			return NULL;
		}
	}
	return works;
}

int mr_run(const mr_op *ops, int count, int rows)
{
	int band = BAND;
	work *works = begin(ops, count);
	if (!works)
		return -1;
	for (int i = 0; i < count; i++) {
		const mr_op *op = &ops[i];
		if (op->target == MR_SCRATCH)
			draw(&works[i], 0, op->dst.height, op->src.height);
		else if (op->target == MR_CANVAS && op->kind == MR_SCALE && !is_copy(op))
			band = rows; // it cannot be done in parts
	}
	for (int y = 0; y < rows; y += band)
		for (int target = MR_CANVAS; target <= MR_RUNG; target++)
			for (int i = 0; i < count; i++)
				if (ops[i].target == target)
					draw_band(&works[i], y, y + band < rows ? y + band : rows);
	finish(works, count);
	return 0;
}
