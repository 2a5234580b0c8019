#include "scale.h"

#include "kernels/pixel.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_TAPS = 8,
	RING = 16, // filtered rows kept: the taps of a row and one more, and a power of two
	BLOCK = 16, // dst samples made at once
};

// An across filter works on lanes: 16 neighbouring source bytes, out of which a
// shuffle picks the taps of 16/taps dst samples, each beside its weight. A block
// is as many lanes as a dst sample has taps.
struct mr_filter {
	int from, to;
	int taps; // of one dst sample in a lane: 2, 4 or 8
	int blocks;

	// Of every dst sample, for use down: the first source sample, how many, and
	// their weights in 1/32768.
	int *first, *count;
	int16_t (*weight)[MAX_TAPS];

	// Of every lane, for use across, in the order of lane_at.
	int *base; // the source byte it starts at
	uint8_t *shuffle;
	int8_t *share; // weights in 1/128
};

int mr_filter_supported(int from, int to)
{
#if defined(__x86_64__)
	return from >= 1 && to >= 1 && from <= 7 * to && __builtin_cpu_supports("avx2");
#else
	(void)from, (void)to;
	return 0;
#endif
}

void mr_filter_free(mr_filter *filter)
{
	if (!filter)
		return;
	free(filter->first);
	free(filter->count);
	free(filter->weight);
	free(filter->base);
	free(filter->shuffle);
	free(filter->share);
	free(filter);
}

// share_out gives the axis's taps weights that sum to `sum`, with positions
// beyond the source folded into its ends. Returns the number of taps.
static int share_out(const px_axis *axis, int from, int sum, int *first, int weight[MAX_TAPS])
{
	int last = px_clamp(axis->last, 0, from - 1), given = 0;
	int64_t passed = 0;
	*first = px_clamp(axis->first, 0, from - 1);
	memset(weight, 0, MAX_TAPS * sizeof *weight);
	for (int i = axis->first; i <= axis->last; i++) {
		passed += px_axis_weight(axis, i);
		int until = (int)((2 * passed * sum + axis->total) / (2 * axis->total));
		weight[px_clamp(i, 0, from - 1) - *first] += until - given;
		given = until;
	}
	return last - *first + 1;
}

// lane_at is where the block's lane stands in memory: lanes are loaded in pairs
// of one from the block's first half and one from its second, so that packing,
// which works on halves of a vector, leaves the samples in order.
static int lane_at(const mr_filter *filter, int lane)
{
	int half = filter->taps / 2, within = lane % filter->taps;
	return lane - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

// place writes dst sample d's taps into its lane.
static void place(mr_filter *filter, int d, int first, const int share[MAX_TAPS])
{
	int samples = 16 / filter->taps, lane = lane_at(filter, d / samples), at = d % samples * filter->taps;
	if (d % samples == 0) // keep all 16 bytes inside the row where it is that long
		filter->base[lane] = px_clamp(first, 0, filter->from > 16 ? filter->from - 16 : 0);
	uint8_t *shuffle = filter->shuffle + 16 * lane + at;
	int8_t *weight = filter->share + 16 * lane + at;
	for (int i = 0; i < filter->taps; i++) {
		int byte = first - filter->base[lane] + i;
		if (share[i] == 128) { // more than a signed byte holds; the sample is alone
			shuffle[0] = shuffle[1] = byte;
			weight[0] = weight[1] = 64;
			return;
		}
		shuffle[i] = share[i] ? byte : 0x80;
		weight[i] = share[i];
	}
}

// fits reports whether 16 source bytes reach over a lane's samples of so many taps.
static int fits(const mr_filter *filter, int taps)
{
	for (int d = 0; d < filter->to; d++)
		if (filter->first[d] + taps - filter->first[d - d % (16 / taps)] > 16)
			return 0;
	return 1;
}

static int allocate(mr_filter *filter)
{
	int lanes = filter->blocks * filter->taps;
	filter->base = calloc(lanes, sizeof *filter->base);
	filter->shuffle = malloc(16 * lanes);
	filter->share = calloc(16, lanes);
	if (!filter->base || !filter->shuffle || !filter->share)
		return -1;
	memset(filter->shuffle, 0x80, 16 * lanes);
	return 0;
}

mr_filter *mr_filter_new(int from, int to, int left)
{
	mr_filter *filter = calloc(1, sizeof *filter);
	if (!filter)
		return NULL;
	filter->from = from;
	filter->to = to;
	filter->first = calloc(to, sizeof *filter->first);
	filter->count = calloc(to, sizeof *filter->count);
	filter->weight = calloc(to, sizeof *filter->weight);
	if (!filter->first || !filter->count || !filter->weight) {
		mr_filter_free(filter);
		return NULL;
	}
	int most = 1, weight[MAX_TAPS];
	for (int d = 0; d < to; d++) {
		px_axis axis = px_axis_at(from, to, left, d);
		filter->count[d] = share_out(&axis, from, 32768, &filter->first[d], weight);
		for (int i = 0; i < MAX_TAPS; i++)
			filter->weight[d][i] = weight[i] > 32767 ? 32767 : weight[i];
		if (filter->count[d] > most)
			most = filter->count[d];
	}
	filter->taps = most <= 2 && fits(filter, 2) ? 2 : most <= 4 && fits(filter, 4) ? 4 : 8;
	filter->blocks = (to + BLOCK - 1) / BLOCK;
	if (allocate(filter)) {
		mr_filter_free(filter);
		return NULL;
	}
	for (int d = 0; d < to; d++) {
		px_axis axis = px_axis_at(from, to, left, d);
		int first;
		share_out(&axis, from, 128, &first, weight);
		place(filter, d, first, weight);
	}
	return filter;
}

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))

// pair weighs the taps of two lanes: 16 sums of neighbouring products, in 1/128.
AVX2 static inline __m256i pair(const mr_filter *filter, const uint8_t *row, int lane)
{
	__m256i bytes = _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(row + filter->base[lane + 1])),
					 _mm_loadu_si128((const __m128i *)(row + filter->base[lane])));
	__m256i shuffle = _mm256_loadu_si256((const __m256i *)(filter->shuffle + 16 * lane));
	__m256i share = _mm256_loadu_si256((const __m256i *)(filter->share + 16 * lane));
	return _mm256_maddubs_epi16(_mm256_shuffle_epi8(bytes, shuffle), share);
}

// quad is a pair with sums of four products.
AVX2 static inline __m256i quad(const mr_filter *filter, const uint8_t *row, int lane)
{
	return _mm256_madd_epi16(pair(filter, row, lane), _mm256_set1_epi16(1));
}

AVX2 static inline void store16(int16_t *out, __m256i v) { _mm256_storeu_si256((__m256i *)out, v); }

// across_rows filters blocks [from, to) of two source rows into samples of 1/128:
// what is loaded of the filter serves both.
AVX2 static void across_rows(const mr_filter *shared, const uint8_t *a, const uint8_t *b, int16_t *to_a, int16_t *to_b,
			     int from, int to)
{
	const mr_filter own = *shared, *filter = &own; // which no store can change: it stays in registers
	const int first = filter->taps * from, lanes = filter->taps * to;
	to_a += from * BLOCK;
	to_b += from * BLOCK;
	switch (filter->taps) {
	case 2:
		for (int lane = first; lane < lanes; lane += 2, to_a += BLOCK, to_b += BLOCK) {
			store16(to_a, pair(filter, a, lane));
			store16(to_b, pair(filter, b, lane));
		}
		break;
	case 4:
		for (int lane = first; lane < lanes; lane += 4, to_a += BLOCK, to_b += BLOCK) {
			store16(to_a, _mm256_packs_epi32(quad(filter, a, lane), quad(filter, a, lane + 2)));
			store16(to_b, _mm256_packs_epi32(quad(filter, b, lane), quad(filter, b, lane + 2)));
		}
		break;
	default:
		for (int lane = first; lane < lanes; lane += 8, to_a += BLOCK, to_b += BLOCK) {
			__m256i low = _mm256_hadd_epi32(quad(filter, a, lane), quad(filter, a, lane + 2));
			__m256i high = _mm256_hadd_epi32(quad(filter, a, lane + 4), quad(filter, a, lane + 6));
			store16(to_a, _mm256_packs_epi32(low, high));
			low = _mm256_hadd_epi32(quad(filter, b, lane), quad(filter, b, lane + 2));
			high = _mm256_hadd_epi32(quad(filter, b, lane + 4), quad(filter, b, lane + 6));
			store16(to_b, _mm256_packs_epi32(low, high));
		}
	}
}

// down_row weighs samples [from, to) of rows of 1/128 into bytes.
AVX2 static void down_row(int16_t *const rows[MAX_TAPS], const int16_t *weight, int count, uint8_t *dst, int from, int to)
{
	const __m256i half = _mm256_set1_epi16(64);
	for (int x = from; x < to; x += BLOCK) {
		__m256i sum = half;
		for (int i = 0; i < count; i++)
			sum = _mm256_add_epi16(sum, _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)(rows[i] + x)),
									_mm256_set1_epi16(weight[i])));
		sum = _mm256_srli_epi16(sum, 7);
		__m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
		if (x + BLOCK <= to) {
			_mm_storeu_si128((__m128i *)(dst + x), bytes);
		} else {
			uint8_t tail[BLOCK];
			_mm_storeu_si128((__m128i *)tail, bytes);
			memcpy(dst + x, tail, to - x);
		}
	}
}
#else
static void across_rows(const mr_filter *filter, const uint8_t *a, const uint8_t *b, int16_t *to_a, int16_t *to_b,
			int from, int to)
{
	(void)filter, (void)a, (void)b, (void)to_a, (void)to_b, (void)from, (void)to;
}
static void down_row(int16_t *const rows[MAX_TAPS], const int16_t *weight, int count, uint8_t *dst, int from, int to)
{
	(void)rows, (void)weight, (void)count, (void)dst, (void)from, (void)to;
}
#endif

int mr_scaler_start(mr_scaler *scaler, const mr_filter *across, const mr_filter *down, const uint8_t *src, int src_stride,
		    uint8_t *dst, int dst_stride, mr_part part)
{
	*scaler = (mr_scaler){across, down, src, src_stride, dst, dst_stride, part, NULL, part.top, 0};
	// A part that begins within a block reads up to a block beyond its end.
	scaler->ring = aligned_alloc(64, sizeof(int16_t) * BLOCK * (RING * (size_t)across->blocks + 2));
	return scaler->ring ? 0 : -1;
}

void mr_scaler_free(mr_scaler *scaler) { free(scaler->ring); }

// advance filters the next two source rows across. Past the last one the second
// is a copy of it.
static void advance(mr_scaler *scaler)
{
	const mr_filter *across = scaler->across;
	intptr_t next = scaler->next, width = (intptr_t)across->blocks * BLOCK;
	const uint8_t *a = scaler->src + next * scaler->src_stride;
	const uint8_t *b = next + 1 < scaler->down->from ? a + scaler->src_stride : a;
	uint8_t narrow[2][16] = {0}; // rows too short to load 16 bytes of
	if (across->from < 16) {
		a = memcpy(narrow[0], a, across->from);
		b = memcpy(narrow[1], b, across->from);
	}
	across_rows(across, a, b, scaler->ring + next % RING * width, scaler->ring + (next + 1) % RING * width,
		    scaler->part.left / BLOCK, (scaler->part.right + BLOCK - 1) / BLOCK);
	scaler->next += 2;
}

void mr_scaler_feed(mr_scaler *scaler, int ready, int until)
{
	const mr_filter *down = scaler->down;
	intptr_t width = (intptr_t)scaler->across->blocks * BLOCK;
	until = until < scaler->part.bottom ? until : scaler->part.bottom;
	// Rows are filtered two at a time: the second one must be there as well.
	for (int whole = ready >= down->from; scaler->y < until; scaler->y++) {
		int first = down->first[scaler->y], end = first + down->count[scaler->y];
		int16_t *rows[MAX_TAPS];
		if (!whole && end + 1 > ready)
			return;
		if (scaler->next < first)
			scaler->next = first;
		while (scaler->next < end)
			advance(scaler);
		for (int i = first; i < end; i++)
			rows[i - first] = scaler->ring + i % RING * width;
		down_row(rows, down->weight[scaler->y], end - first, scaler->dst + (intptr_t)scaler->y * scaler->dst_stride,
			 scaler->part.left, scaler->part.right);
	}
}
