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
//
// Rungs are most of the arithmetic: down to a third of the canvas their windows
// are of four samples at most, which dp2a sums with 15-bit weights straight from
// the tile's bytes (two shared loads, a shift and two dp2a a row). The weights'
// rounding is below 0.05 of a step. The budget: a 1080p show with its ladder is
// 17.9 MB, 6 us at 3 TB/s; 132 multiprocessors do some 170 million operations of
// one lane in that time, and it has 5.4 million samples to write.
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
// Threads of a phase must not depend on each other: half of the blocks run them backwards.
static __thread px_int px_backwards;
#define PX_PHASE(call) \
	do { \
		for (px_int turn = 0; turn < PX_THREADS; turn++) { \
			const px_int t = px_backwards ? PX_THREADS - 1 - turn : turn; \
			call; \
		} \
	} while (0)
typedef uintptr_t px_address;
#endif

typedef unsigned int px_word; // four samples, the leftmost lowest
typedef unsigned long long px_pair;

enum {
	PX_THREADS = 256,
	PX_COLUMNS = PX_LUMA_TILE + PX_REACH,
	PX_ROWS = PX_TILE_ROWS + PX_REACH,
	PX_WEIGHT = 15, // bits
	PX_SHARP = 8,   // bits kept below a sample's between the axes
};

// px_tap is one sample's filter along one axis: the sum over first..last less
// head times the first and tail times the last.
typedef struct {
	px_int first, last;
	float head, tail;
} px_tap;

// px_span is one sample's filter along one axis where it is of four samples at
// most: their weights, which add up to 1 << PX_WEIGHT, two in a word.
typedef struct {
	px_int start, count; // from the tile's corner; nothing is clamped any more
	px_word near, far;
} __attribute__((aligned(16))) px_span;

// px_block is what the threads of a block share.
typedef struct {
	px_span span_across[PX_COLUMNS], span_down[PX_ROWS];
	px_tap across[PX_COLUMNS], down[PX_ROWS];
	px_word tile[2][PX_ROWS * PX_COLUMNS / 4 + 1]; // rows of 4*words bytes
	px_int bound[PX_RUNGS][4]; // of the rungs' parts: left, right, top, bottom
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

#include "draw.h"

// px_target is one plane that is written.
typedef struct {
	px_byte *start;
	px_int stride, step;
} px_target;

PX_INLINE px_target px_target_of(const px_picture *picture, px_int p)
{
	px_target target;
	target.start = picture->plane[p];
	target.stride = picture->stride[p];
	target.step = picture->step[p];
	return target;
}

PX_INLINE px_byte *px_at(const px_target *target, px_int x, px_int y)
{
	return target->start + (px_long)y * target->stride + x * target->step;
}

// px_put stores up to four samples.
PX_INLINE void px_put(px_byte *at, px_int step, px_word samples, px_int count)
{
	if (count >= 4 && step == 1 && ((px_address)at & 3) == 0) {
		*(px_word *)at = samples;
		return;
	}
	for (px_int i = 0; i < count && i < 4; i++)
		at[i * step] = (px_byte)(samples >> 8 * i);
}

#include "rung.h"

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
	const px_target one = px_target_of(&tile->show->canvas, tile->chroma);
	const px_target two = px_target_of(&tile->show->canvas, 2 * tile->chroma);
	const px_int words = px_over(tile->w, 4);
	const px_int pairs = one.step == 2 && two.start == one.start + 1 && two.stride == one.stride;
	const float per_row = 1.0f / (float)words;
	for (px_int i = t; i < words * tile->h; i += PX_THREADS) {
		const px_int row = (px_int)(((float)i + 0.5f) * per_row), column = i - row * words;
		const px_int at = row * tile->words + column, count = tile->w - 4 * column;
		px_byte *to = px_at(&one, tile->x + 4 * column, tile->y + row);
		if (tile->chroma && pairs && count >= 4 && ((px_address)to & 3) == 0) {
			px_put_pairs(to, b->tile[0][at], b->tile[1][at]);
			continue;
		}
		px_put(to, one.step, b->tile[0][at], count);
		if (tile->chroma)
			px_put(px_at(&two, tile->x + 4 * column, tile->y + row), two.step, b->tile[1][at], count);
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
		if (!(b->flag[i] & PX_TOUCHES))
			continue;
		const px_source source = px_source_of(layer, tile.chroma);
		if (source.ratio == PX_ANY || source.matte.corner || !px_inside(&tile, layer) || tile.columns % 4 != 0)
			PX_PHASE(px_measure(b, &tile, &source, t));
		PX_PHASE(px_draw(b, &tile, &source, t));
	}
	PX_PHASE(px_store(b, &tile, t); px_bound(b, &tile, t));
	for (px_int i = 0; i < show->rung_count; i++)
		px_draw_rung(b, &tile, &show->rungs[i], b->bound[i]);
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
