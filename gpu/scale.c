#include "scale.h"

#include "kernels/pixel.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_TAPS = 8,
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
	filter->taps = from < to && most <= 2 ? 2 : most <= 4 ? 4 : 8;
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

// across_row filters a source row into samples of 1/128.
AVX2 static void across_row(const mr_filter *filter, const uint8_t *row, int16_t *out)
{
	const __m256i one = _mm256_set1_epi16(1);
	const int lanes = filter->blocks * filter->taps, taps = filter->taps;
	for (int lane = 0; lane < lanes; lane += taps, out += BLOCK) {
		__m256i sum = pair(filter, row, lane);
		if (taps >= 4)
			sum = _mm256_madd_epi16(sum, one);
		if (taps == 4) {
			sum = _mm256_packs_epi32(sum, _mm256_madd_epi16(pair(filter, row, lane + 2), one));
		} else if (taps == 8) {
			__m256i b = _mm256_madd_epi16(pair(filter, row, lane + 2), one);
			__m256i c = _mm256_madd_epi16(pair(filter, row, lane + 4), one);
			__m256i d = _mm256_madd_epi16(pair(filter, row, lane + 6), one);
			sum = _mm256_packs_epi32(_mm256_hadd_epi32(sum, b), _mm256_hadd_epi32(c, d));
		}
		_mm256_storeu_si256((__m256i *)out, sum);
	}
}

// down_row weighs rows of 1/128 samples into bytes.
AVX2 static void down_row(int16_t *const rows[MAX_TAPS], const int16_t *weight, int count, uint8_t *dst, int width)
{
	const __m256i half = _mm256_set1_epi16(64);
	for (int x = 0; x < width; x += BLOCK) {
		__m256i sum = half;
		for (int i = 0; i < count; i++)
			sum = _mm256_add_epi16(sum, _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)(rows[i] + x)),
									_mm256_set1_epi16(weight[i])));
		sum = _mm256_srli_epi16(sum, 7);
		__m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
		if (x + BLOCK <= width) {
			_mm_storeu_si128((__m128i *)(dst + x), bytes);
		} else {
			uint8_t tail[BLOCK];
			_mm_storeu_si128((__m128i *)tail, bytes);
			memcpy(dst + x, tail, width - x);
		}
	}
}
#else
static void across_row(const mr_filter *filter, const uint8_t *row, int16_t *out) { (void)filter, (void)row, (void)out; }
static void down_row(int16_t *const rows[MAX_TAPS], const int16_t *weight, int count, uint8_t *dst, int width)
{
	(void)rows, (void)weight, (void)count, (void)dst, (void)width;
}
#endif

int mr_scale_plane(const mr_filter *across, const mr_filter *down, const uint8_t *src, int src_stride, uint8_t *dst,
		   int dst_stride)
{
	int width = across->blocks * BLOCK, next = 0; // next source row to filter across
	uint8_t narrow[16] = {0};                     // a row too short to load 16 bytes of
	int16_t *ring = aligned_alloc(64, sizeof(int16_t) * MAX_TAPS * (size_t)(width + BLOCK)), *rows[MAX_TAPS];
	if (!ring)
		return -1;
	for (int y = 0; y < down->to; y++) {
		int first = down->first[y], end = first + down->count[y];
		if (next < first)
			next = first;
		for (; next < end; next++) {
			const uint8_t *row = src + (intptr_t)next * src_stride;
			if (across->from < 16)
				row = memcpy(narrow, row, across->from);
			across_row(across, row, ring + (intptr_t)(next % MAX_TAPS) * width);
		}
		for (int i = first; i < end; i++)
			rows[i - first] = ring + (intptr_t)(i % MAX_TAPS) * width;
		down_row(rows, down->weight[y], down->count[y], dst + (intptr_t)y * dst_stride, across->to);
	}
	free(ring);
	return 0;
}
