// The compositor: one launch draws the canvases and all rungs of any number of
// shows. This file compiles as CUDA, by clang without a toolkit, to the PTX that
// is embedded beside it, and as C for tests without a card.
//
// A rung's pixel is the area average of the canvas's rounded pixels (pixel.h,
// 9.), so it cannot be made from the sources without first making those canvas
// pixels. Passing them through device memory would add a read of the canvas per
// rung and an order among blocks. So a block makes one tile of the canvas in
// shared memory, a few samples further to the right and down than what it
// stores, and then every rung pixel whose window begins in its tile. What it
// makes beyond its tile is made again by the neighbour: for the ladder 1080,
// 720, 480, 360 that is 4 columns of 128 and 3 rows of 32, some 13 % more
// arithmetic, whose loads meet the cache; device memory sees each source sample
// and each output sample once. A rung more than PX_REACH times smaller than the
// canvas (a thumbnail) is made from canvas pixels drawn again, one by one.
//
// Luma and the pair of chroma planes are tiles of their own: 765 blocks for a
// 1080p show, so that one show alone is one wave on a card of 100
// multiprocessors or more. A block finds the layers of its tile by itself, one
// thread a layer, and begins with the uppermost that covers the tile: the host's
// work per tick is to fill in the list.
//
// A thread draws words of four samples, so that a warp stores 128 bytes in a row.
// A layer that is copied, or halved (the 2x2 grid), is loaded four or eight
// bytes at a time and summed in 16-bit halves of words. Everything else goes
// sample by sample: along an axis the weights of contract 4 are 1 except for the
// first and the last, so that a row's sum is S - head*first - tail*last with
// integer S. Sums are float; `nudge` takes a tie up, which a denominator
// below 10000 makes exact. Others may differ from the contract by 1.
#include "work.h"

#if defined(__CUDA__) || defined(__CUDACC__)
#define PX_INLINE static __attribute__((device, always_inline)) inline
#define PX_GLOBAL(type) const __attribute__((address_space(1))) type *
#define PX_PHASE(call) \
	do { \
		const px_int t = __nvvm_read_ptx_sreg_tid_x(); \
		call; \
		__syncthreads(); \
	} while (0)
typedef unsigned long px_address;
#else
#define PX_INLINE static inline
#define PX_GLOBAL(type) const type *
#define PX_PHASE(call) \
	do { \
		for (px_int t = 0; t < PX_THREADS; t++) \
			call; \
	} while (0)
typedef uintptr_t px_address;
#endif

typedef unsigned int px_word; // four samples, the leftmost lowest
typedef unsigned long long px_pair;

enum {
	PX_THREADS = 256,
	PX_COLUMNS = PX_LUMA_TILE + PX_REACH,
	PX_ROWS = PX_TILE_ROWS + PX_REACH,
	PX_CHROMA_COLUMNS = PX_CHROMA_TILE + PX_REACH,
};

// px_tap is one sample's filter along one axis: the sum over first..last less
// head times the first and tail times the last.
typedef struct {
	px_int first, last;
	float head, tail;
} px_tap;

// px_block is what the threads of a block share.
typedef struct {
	px_word tile[2][PX_ROWS * PX_COLUMNS / 4]; // rows of 4*stride bytes
	px_tap across[PX_COLUMNS], down[PX_ROWS];
	px_int bound[2][4]; // of a rung's part, of two rungs in turn
	px_byte flag[PX_LAYERS];
} px_block;

enum { PX_TOUCHES = 1, PX_COVERS = 2 };

// px_tile is where a block stands, in samples of its planes.
typedef struct {
	const px_show *show;
	px_int chroma;        // 0: plane 0; 1: planes 1 and 2
	px_int x, y;          // corner
	px_int width, height; // of the canvas's planes
	px_int w, h;          // stored
	px_int columns, rows; // made
	px_int words;         // of a row
} px_tile;

// px_part is the share of a rung whose windows begin in the tile.
typedef struct {
	const px_picture *rung;
	px_int n_x, m_x, n_y, m_y;
	px_int x, y, w, h; // samples of the rung
	float scale;
} px_part;

PX_INLINE px_word px_load_word(const px_byte *at)
{
	const px_int odd = (px_int)((px_address)at & 3);
	PX_GLOBAL(px_word) words = (PX_GLOBAL(px_word))((px_address)at - odd);
	if (odd == 0)
		return words[0];
	return words[0] >> 8 * odd | words[1] << (32 - 8 * odd);
}

PX_INLINE px_pair px_load_pair(const px_byte *at)
{
	if (((px_address)at & 7) == 0)
		return *(PX_GLOBAL(px_pair))(px_address)at;
	return px_load_word(at) | (px_pair)px_load_word(at + 4) << 32;
}

PX_INLINE px_int px_load(const px_byte *at) { return *(PX_GLOBAL(px_byte))(px_address)at; }

PX_INLINE px_int px_least(px_int a, px_int b) { return a < b ? a : b; }

// px_even are the first samples of four interleaved pairs.
PX_INLINE px_word px_even(px_pair v)
{
	const px_word a = (px_word)v & 0x00ff00ff, b = (px_word)(v >> 32) & 0x00ff00ff;
	return ((a | a >> 8) & 0xffff) | (b | b >> 8) << 16;
}

// px_row is the start of row y of plane p.
PX_INLINE const px_byte *px_row(const px_picture *picture, px_int p, px_int y)
{
	return picture->plane[p] + (px_long)y * picture->stride[p];
}

// px_four are four samples in a row.
PX_INLINE px_word px_four(const px_byte *at, px_int step)
{
	return step == 1 ? px_load_word(at) : px_even(px_load_pair(at));
}

// px_eight are eight samples in a row.
PX_INLINE px_pair px_eight(const px_byte *at, px_int step)
{
	if (step == 1)
		return px_load_pair(at);
	return px_even(px_load_pair(at)) | (px_pair)px_even(px_load_pair(at + 8)) << 32;
}

PX_INLINE px_tap px_tap_of(px_axis axis)
{
	px_tap tap;
	const float unit = 1.0f / (float)axis.unit;
	tap.first = axis.first;
	tap.last = axis.last;
	tap.head = (float)(axis.begin - axis.first * axis.unit) * unit;
	tap.tail = (float)((axis.last + 1) * axis.unit - axis.end) * unit;
	if (!axis.area)
		tap.tail = 1.0f - tap.head;
	return tap;
}

// px_share is what one sample weighs in a sum along an axis.
PX_INLINE float px_share(px_int n, px_int m) { return n >= m ? (float)m / (float)n : 1.0f; }

// px_rounded takes the nearest integer, halves up.
PX_INLINE px_int px_rounded(float v)
{
	const float nudge = 0.0001f;
	return (px_int)(v + (0.5f + nudge));
}

// px_inside says whether the layer covers all that the tile makes of the canvas.
PX_INLINE px_int px_inside(const px_tile *tile, const px_layer *layer)
{
	const px_int c = tile->chroma, x = layer->dst.x >> c, y = layer->dst.y >> c;
	return x <= tile->x && y <= tile->y && x + (layer->dst.w >> c) >= tile->x + tile->columns &&
		y + (layer->dst.h >> c) >= tile->y + tile->rows;
}

PX_INLINE px_int px_solid(const px_layer *layer)
{
	return layer->opacity == 255 && layer->radius == 0 && layer->border == 0;
}

// px_find notes which layers show on the tile.
PX_INLINE void px_find(px_block *b, const px_tile *tile, px_int t)
{
	const px_int c = tile->chroma;
	for (px_int i = t; i < tile->show->layer_count; i += PX_THREADS) {
		const px_layer *layer = &tile->show->layers[i];
		const px_int x = layer->dst.x >> c, y = layer->dst.y >> c;
		px_byte flag = 0;
		if (x < tile->x + tile->columns && x + (layer->dst.w >> c) > tile->x && y < tile->y + tile->rows &&
		    y + (layer->dst.h >> c) > tile->y)
			flag = PX_TOUCHES;
		if (px_solid(layer) && px_inside(tile, layer))
			flag |= PX_COVERS;
		b->flag[i] = flag;
	}
}

PX_INLINE void px_fill(px_block *b, const px_tile *tile, px_int t)
{
	const px_byte *color = tile->show->background;
	for (px_int i = t; i < tile->words * tile->rows; i += PX_THREADS) {
		b->tile[0][i] = color[tile->chroma] * 0x01010101u;
		if (tile->chroma)
			b->tile[1][i] = color[2] * 0x01010101u;
	}
}

// px_measure makes the filters of the layer for the tile's columns and rows.
PX_INLINE void px_measure(px_block *b, const px_tile *tile, const px_layer *layer, px_int t)
{
	const px_int c = tile->chroma, w = layer->dst.w >> c, h = layer->dst.h >> c;
	for (px_int i = t; i < tile->columns + tile->rows; i += PX_THREADS) {
		if (i < tile->columns) {
			const px_int d = tile->x + i - (layer->dst.x >> c);
			if (d >= 0 && d < w)
				b->across[i] = px_tap_of(px_axis_at(layer->src.w >> c, w, c, d));
		} else {
			const px_int d = tile->y + i - tile->columns - (layer->dst.y >> c);
			if (d >= 0 && d < h)
				b->down[i - tile->columns] = px_tap_of(px_axis_at(layer->src.h >> c, h, 0, d));
		}
	}
}

// px_any is one sample of the layer's picture, scaled by any ratio.
PX_INLINE px_int px_any(const px_layer *layer, px_int p, const px_tap *across, const px_tap *down)
{
	const px_int c = p > 0, step = layer->picture.step[p];
	const px_int width = (layer->src.w >> c) - 1, height = (layer->src.h >> c) - 1;
	const px_byte *corner = px_row(&layer->picture, p, layer->src.y >> c) + (layer->src.x >> c) * step;
	float sum = 0, line = 0;
	for (px_int j = down->first; j <= down->last; j++) {
		const px_byte *row = corner + (px_long)px_clamp(j, 0, height) * layer->picture.stride[p];
		const px_int first = px_load(row + px_clamp(across->first, 0, width) * step);
		px_int whole = first, last = first;
		for (px_int i = across->first + 1; i <= across->last; i++)
			whole += last = px_load(row + px_clamp(i, 0, width) * step);
		line = (float)whole - across->head * (float)first - across->tail * (float)last;
		sum += j == down->first ? line - line * down->head : line;
	}
	sum -= line * down->tail;
	return px_rounded(sum * (px_share(layer->src.w, layer->dst.w) * px_share(layer->src.h, layer->dst.h)));
}

// px_halved are four samples of a picture halved along both axes. Chroma is
// sited left: across, its weights are 1, 4 and 3 eighths.
PX_INLINE px_word px_halved(const px_layer *layer, px_int p, px_int x, px_int y)
{
	const px_int c = p > 0, step = layer->picture.step[p], stride = layer->picture.stride[p];
	const px_byte *row = px_row(&layer->picture, p, (layer->src.y >> c) + 2 * y) + ((layer->src.x >> c) + 2 * x) * step;
	px_pair sum = 0;
	for (px_int j = 0; j < 2; j++, row += stride) {
		const px_pair all = px_eight(row, step);
		const px_pair even = all & 0x00ff00ff00ff00ffull, odd = all >> 8 & 0x00ff00ff00ff00ffull;
		if (!c)
			sum += even + odd;
		else
			sum += 4 * even + 3 * odd + (odd << 16 | (px_pair)px_load(x > 0 ? row - step : row));
	}
	sum = c ? (sum + 0x0008000800080008ull) >> 4 : (sum + 0x0002000200020002ull) >> 2;
	return px_even(sum & 0x00ff00ff00ff00ffull);
}

// px_over_under draws one sample's value on what is under it (pixel.h, 6. to 8.).
PX_INLINE px_int px_over_under(const px_layer *layer, px_int p, px_int x, px_int y, px_int value, px_int under)
{
	px_int alpha = px_mix(0, px_shape(layer->dst, layer->radius, 0, p, x, y), layer->opacity);
	if (alpha == 0)
		return under;
	if (layer->border > 0)
		value = px_mix(layer->border_color[p], value,
			       px_shape(layer->dst, layer->radius, layer->border, p, x, y));
	return px_mix(under, value, alpha);
}

enum { PX_SAME = 1, PX_HALF = 2, PX_ANY = 0 };

PX_INLINE px_int px_ratio(const px_layer *layer)
{
	if (layer->src.w == layer->dst.w && layer->src.h == layer->dst.h)
		return PX_SAME;
	return layer->src.w == 2 * layer->dst.w && layer->src.h == 2 * layer->dst.h ? PX_HALF : PX_ANY;
}

// px_draw_word draws four samples, from column and row of the tile on; (x, y) is
// their place in the layer. Those outside of the layer stay.
PX_INLINE px_word px_draw_word(const px_block *b, const px_tile *tile, const px_layer *layer, px_int ratio, px_int p,
			       px_int column, px_int row, px_int x, px_int y, px_word under)
{
	const px_int c = tile->chroma, w = layer->dst.w >> c;
	const px_int whole = x >= 0 && x + 4 <= w && column + 4 <= tile->columns;
	px_word values = under, drawn = 0;
	if (whole && ratio == PX_SAME)
		values = px_four(px_row(&layer->picture, p, (layer->src.y >> c) + y) +
					 ((layer->src.x >> c) + x) * layer->picture.step[p], layer->picture.step[p]);
	else if (whole && ratio == PX_HALF)
		values = px_halved(layer, p, x, y);
	else {
		values = 0;
		for (px_int i = 0; i < 4; i++)
			if (x + i >= 0 && x + i < w && column + i < tile->columns)
				values |= (px_word)px_any(layer, p, &b->across[column + i], &b->down[row]) << 8 * i;
	}
	if (whole && px_solid(layer))
		return values;
	for (px_int i = 0; i < 4; i++) {
		px_int value = under >> 8 * i & 255;
		if (x + i >= 0 && x + i < w)
			value = px_over_under(layer, p, x + i, y, values >> 8 * i & 255, value);
		drawn |= (px_word)value << 8 * i;
	}
	return drawn;
}

// px_draw draws the layer on the tile.
PX_INLINE void px_draw(px_block *b, const px_tile *tile, const px_layer *layer, px_int ratio, px_int t)
{
	const px_int c = tile->chroma, w = layer->dst.w >> c, h = layer->dst.h >> c;
	const float per_row = 1.0f / (float)tile->words;
	for (px_int i = t; i < tile->words * tile->rows; i += PX_THREADS) {
		const px_int row = (px_int)(((float)i + 0.5f) * per_row), column = 4 * (i - row * tile->words);
		const px_int x = tile->x + column - (layer->dst.x >> c), y = tile->y + row - (layer->dst.y >> c);
		if (y < 0 || y >= h || x <= -4 || x >= w)
			continue;
		b->tile[0][i] = px_draw_word(b, tile, layer, ratio, c, column, row, x, y, b->tile[0][i]);
		if (c)
			b->tile[1][i] = px_draw_word(b, tile, layer, ratio, 2, column, row, x, y, b->tile[1][i]);
	}
}

PX_INLINE void px_put(const px_picture *picture, px_int p, px_int x, px_int y, px_word samples, px_int count)
{
	px_byte *at = picture->plane[p] + (px_long)y * picture->stride[p] + x * picture->step[p];
	if (count >= 4 && picture->step[p] == 1 && ((px_address)at & 3) == 0) {
		*(px_word *)at = samples;
		return;
	}
	for (px_int i = 0; i < count && i < 4; i++)
		at[i * picture->step[p]] = (px_byte)(samples >> 8 * i);
}

// px_put_pairs stores four pairs of interleaved chroma samples.
PX_INLINE void px_put_pairs(px_byte *at, px_word blue, px_word red)
{
	px_word *words = (px_word *)at;
	words[0] = (blue & 0xff) | (red & 0xff) << 8 | (blue & 0xff00) << 8 | (red & 0xff00) << 16;
	blue >>= 16;
	red >>= 16;
	words[1] = (blue & 0xff) | (red & 0xff) << 8 | (blue & 0xff00) << 8 | (red & 0xff00) << 16;
}

// px_store writes the tile to the canvas.
PX_INLINE void px_store(px_block *b, const px_tile *tile, px_int t)
{
	const px_picture *canvas = &tile->show->canvas;
	const px_int words = px_over(tile->w, 4);
	const float per_row = 1.0f / (float)words;
	for (px_int i = t; i < words * tile->h; i += PX_THREADS) {
		const px_int row = (px_int)(((float)i + 0.5f) * per_row), column = i - row * words;
		const px_int at = row * tile->words + column, x = tile->x + 4 * column, y = tile->y + row;
		const px_int count = tile->w - 4 * column;
		if (!tile->chroma) {
			px_put(canvas, 0, x, y, b->tile[0][at], count);
			continue;
		}
		px_byte *pairs = canvas->plane[1] + (px_long)y * canvas->stride[1] + 2 * x;
		if (count >= 4 && canvas->step[1] == 2 && canvas->plane[2] == canvas->plane[1] + 1 &&
		    canvas->stride[1] == canvas->stride[2] && ((px_address)pairs & 3) == 0) {
			px_put_pairs(pairs, b->tile[0][at], b->tile[1][at]);
			continue;
		}
		px_put(canvas, 1, x, y, b->tile[0][at], count);
		px_put(canvas, 2, x, y, b->tile[1][at], count);
	}
}

// px_lowest is the first of m samples whose window begins at `at` or beyond.
PX_INLINE px_int px_lowest(px_int n, px_int m, px_int left, px_int at)
{
	px_int d = px_clamp((px_int)((px_long)at * m / n) - 1, 0, m);
	if (at >= n)
		return m;
	for (; d < m; d++) {
		const px_int first = px_axis_at(n, m, left, d).first;
		if ((first > 0 ? first : 0) >= at)
			break;
	}
	return d;
}

// px_bound finds the part of a rung that belongs to the tile: left, right, top, bottom.
PX_INLINE void px_bound(px_int *bound, const px_tile *tile, const px_picture *rung, px_int t)
{
	const px_int c = tile->chroma;
	if (t < 2)
		bound[t] = px_lowest(tile->width, rung->width >> c, c, t ? tile->x + tile->w : tile->x);
	else if (t < 4)
		bound[t] = px_lowest(tile->height, rung->height >> c, 0, t == 3 ? tile->y + tile->h : tile->y);
}

// px_measure_rung makes the filters of the part's columns and rows.
PX_INLINE void px_measure_rung(px_block *b, const px_tile *tile, const px_part *part, px_int t)
{
	for (px_int i = t; i < part->w + part->h; i += PX_THREADS) {
		if (i < part->w)
			b->across[i] = px_tap_of(px_axis_at(part->n_x, part->m_x, tile->chroma, part->x + i));
		else
			b->down[i - part->w] = px_tap_of(px_axis_at(part->n_y, part->m_y, 0, part->y + i - part->w));
	}
}

// px_average is one sample of a rung from the tile.
PX_INLINE px_int px_average(const px_block *b, const px_tile *tile, px_int plane, const px_part *part, px_tap across, px_tap down)
{
	const px_byte *samples = (const px_byte *)b->tile[plane];
	const px_int right = tile->width - 1, bottom = tile->height - 1;
	float sum = 0, line = 0;
	for (px_int j = down.first; j <= down.last; j++) {
		const px_byte *row = samples + (px_clamp(j, 0, bottom) - tile->y) * 4 * tile->words - tile->x;
		const px_int first = row[px_clamp(across.first, 0, right)];
		px_int whole = first, last = first;
		for (px_int i = across.first + 1; i <= across.last; i++)
			whole += last = row[px_clamp(i, 0, right)];
		line = (float)whole - across.head * (float)first - across.tail * (float)last;
		sum += j == down.first ? line - line * down.head : line;
	}
	return px_rounded((sum - line * down.tail) * part->scale);
}

// px_scale_part makes the part of a rung from the tile.
PX_INLINE void px_scale_part(px_block *b, const px_tile *tile, const px_part *part, px_int t)
{
	const float per_row = 1.0f / (float)part->w;
	for (px_int i = t; i < part->w * part->h; i += PX_THREADS) {
		const px_int row = (px_int)(((float)i + 0.5f) * per_row), column = i - row * part->w;
		for (px_int p = tile->chroma; p <= 2 * tile->chroma; p++)
			px_put(part->rung, p, part->x + column, part->y + row,
			       (px_word)px_average(b, tile, p == 2, part, b->across[column], b->down[row]), 1);
	}
}

// px_again is a sample of the canvas, drawn by the letter of the contract.
PX_INLINE px_int px_again(const px_show *show, px_int p, px_int x, px_int y)
{
	px_int value = show->background[p];
	for (px_int i = 0; i < show->layer_count; i++)
		value = px_drawn(&show->layers[i], p, x, y, value);
	return value;
}

// px_scale_far makes the part of a rung that reaches further than the tile.
PX_INLINE void px_scale_far(const px_tile *tile, const px_part *part, px_int t)
{
	for (px_int i = t; i < part->w * part->h; i += PX_THREADS) {
		const px_int dx = part->x + i % part->w, dy = part->y + i / part->w;
		const px_axis across = px_axis_at(part->n_x, part->m_x, tile->chroma, dx);
		const px_axis down = px_axis_at(part->n_y, part->m_y, 0, dy);
		const px_long total = (px_long)across.total * down.total;
		for (px_int p = tile->chroma; p <= 2 * tile->chroma; p++) {
			px_long sum = 0;
			for (px_int y = down.first; y <= down.last; y++)
				for (px_int x = across.first; x <= across.last; x++)
					sum += (px_long)px_axis_weight(&across, x) * px_axis_weight(&down, y) *
						px_again(tile->show, p, px_clamp(x, 0, tile->width - 1),
							 px_clamp(y, 0, tile->height - 1));
			px_put(part->rung, p, dx, dy, (px_word)((2 * sum + total) / (2 * total)), 1);
		}
	}
}

// px_draw_rung makes the share of a rung that belongs to the tile, in parts that
// the filters' tables hold.
PX_INLINE void px_draw_rung(px_block *b, const px_tile *tile, const px_picture *rung, const px_int *bound)
{
	const px_int c = tile->chroma, far = px_far(&tile->show->canvas, rung);
	const px_int right = bound[1], bottom = bound[3];
	px_part part;
	part.rung = rung;
	part.n_x = tile->width;
	part.n_y = tile->height;
	part.m_x = rung->width >> c;
	part.m_y = rung->height >> c;
	part.scale = px_share(part.n_x, part.m_x) * px_share(part.n_y, part.m_y);
	for (part.y = bound[2]; part.y < bottom; part.y += PX_ROWS) {
		part.h = px_least(PX_ROWS, bottom - part.y);
		for (part.x = bound[0]; part.x < right; part.x += PX_COLUMNS) {
			part.w = px_least(PX_COLUMNS, right - part.x);
			if (far) {
				PX_PHASE(px_scale_far(tile, &part, t));
				continue;
			}
			PX_PHASE(px_measure_rung(b, tile, &part, t));
			PX_PHASE(px_scale_part(b, tile, &part, t));
		}
	}
}

// px_place says which tile of the show a block makes.
PX_INLINE px_tile px_place(const px_show *show, px_int block)
{
	px_tile tile;
	px_int across, step;
	tile.show = show;
	tile.chroma = block >= show->luma_tiles;
	if (tile.chroma)
		block -= show->luma_tiles;
	step = tile.chroma ? PX_CHROMA_TILE : PX_LUMA_TILE;
	tile.width = show->canvas.width >> tile.chroma;
	tile.height = show->canvas.height >> tile.chroma;
	across = px_over(tile.width, step);
	tile.y = block / across * PX_TILE_ROWS;
	tile.x = block % across * step;
	tile.w = px_least(step, tile.width - tile.x);
	tile.h = px_least(PX_TILE_ROWS, tile.height - tile.y);
	tile.columns = px_least(step + show->reach_x, tile.width - tile.x);
	tile.rows = px_least(PX_TILE_ROWS + show->reach_y, tile.height - tile.y);
	tile.words = px_over(tile.columns, 4);
	return tile;
}

// px_compose_block draws one tile of one show and what belongs to it of the rungs.
PX_INLINE void px_compose_block(px_block *b, const px_show *show, px_int block)
{
	const px_tile tile = px_place(show, block);
	px_int first = -1;
	PX_PHASE(px_find(b, &tile, t));
	for (px_int i = 0; i < show->layer_count; i++)
		if (b->flag[i] & PX_COVERS)
			first = i;
	if (first < 0) {
		first = 0;
		PX_PHASE(px_fill(b, &tile, t));
	}
	for (px_int i = first; i < show->layer_count; i++) {
		const px_layer *layer = &show->layers[i];
		const px_int ratio = px_ratio(layer);
		if (!(b->flag[i] & PX_TOUCHES))
			continue;
		if (ratio == PX_ANY || !px_inside(&tile, layer) || tile.columns % 4 != 0)
			PX_PHASE(px_measure(b, &tile, layer, t));
		PX_PHASE(px_draw(b, &tile, layer, ratio, t));
	}
	PX_PHASE(px_store(b, &tile, t));
	for (px_int i = 0; i < show->rung_count; i++) {
		PX_PHASE(px_bound(b->bound[i & 1], &tile, &show->rungs[i], t));
		px_draw_rung(b, &tile, &show->rungs[i], b->bound[i & 1]);
	}
}

#if defined(__CUDA__) || defined(__CUDACC__)
// Blocks are (tile, show); those beyond a smaller show's tiles have nothing to do.
extern "C" __attribute__((global)) void __attribute__((launch_bounds(PX_THREADS, 4))) millrace_compose(const px_show *shows)
{
	static __attribute__((shared)) px_block block;
	const px_show *show = &shows[__nvvm_read_ptx_sreg_ctaid_y()];
	if ((px_int)__nvvm_read_ptx_sreg_ctaid_x() < show->tiles)
		px_compose_block(&block, show, __nvvm_read_ptx_sreg_ctaid_x());
}
#endif
