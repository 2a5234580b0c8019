#include "halve.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))

// Sources come from memory, and there is little else to do here but wait for
// them: these are the rows fetched ahead.
enum { AHEAD = 16 };

AVX2 static inline __m256i load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

// bytes packs two vectors of 16-bit samples in order.
AVX2 static inline __m256i bytes(__m256i low, __m256i high)
{
	return _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8);
}

AVX2 static inline __m256i mean4(const uint8_t *a, const uint8_t *b)
{
	const __m256i one = _mm256_set1_epi8(1);
	__m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(load(a), one), _mm256_maddubs_epi16(load(b), one));
	return _mm256_srli_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
}

AVX2 static void centred_row(const uint8_t *a, const uint8_t *b, intptr_t ahead, uint8_t *dst, int x, int to)
{
	for (; x + 32 <= to; x += 32) {
		_mm_prefetch((const char *)(a + ahead + 2 * x), _MM_HINT_T0);
		_mm_prefetch((const char *)(b + ahead + 2 * x), _MM_HINT_T0);
		__m256i low = mean4(a + 2 * x, b + 2 * x), high = mean4(a + 2 * x + 32, b + 2 * x + 32);
		_mm256_storeu_si256((__m256i *)(dst + x), bytes(low, high));
	}
	for (; x < to; x++)
		dst[x] = (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2;
}

// The window of a left-sited sample begins a quarter sample early: weights 1, 4
// and 3 of 8.
static inline int left_sum(const uint8_t *p, int x)
{
	return p[x ? 2 * x - 1 : 0] + 4 * p[2 * x] + 3 * p[2 * x + 1];
}

AVX2 static inline __m256i left8(const uint8_t *a, const uint8_t *b)
{
	const __m256i own = _mm256_set1_epi16(3 << 8 | 4), before = _mm256_set1_epi16(1);
	__m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(load(a), own), _mm256_maddubs_epi16(load(a - 1), before));
	sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(load(b), own));
	sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(load(b - 1), before));
	return _mm256_srli_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(8)), 4);
}

AVX2 static void left_row(const uint8_t *a, const uint8_t *b, intptr_t ahead, uint8_t *dst, int x, int to)
{
	if (x == 0) {
		dst[0] = (left_sum(a, 0) + left_sum(b, 0) + 8) >> 4;
		x = 1;
	}
	for (; x + 32 <= to; x += 32) {
		_mm_prefetch((const char *)(a + ahead + 2 * x), _MM_HINT_T0);
		_mm_prefetch((const char *)(b + ahead + 2 * x), _MM_HINT_T0);
		__m256i low = left8(a + 2 * x, b + 2 * x), high = left8(a + 2 * x + 32, b + 2 * x + 32);
		_mm256_storeu_si256((__m256i *)(dst + x), bytes(low, high));
	}
	for (; x < to; x++)
		dst[x] = (left_sum(a, x) + left_sum(b, x) + 8) >> 4;
}

void mr_halve_plane(const uint8_t *src, int src_stride, uint8_t *dst, int dst_stride, int from, int to, int height, int left)
{
	for (int y = 0; y < height; y++) {
		const uint8_t *a = src + (intptr_t)2 * y * src_stride, *b = a + src_stride;
		// The last rows fetch themselves again: nothing beyond the picture.
		intptr_t ahead = 2 * y + AHEAD < 2 * height ? (intptr_t)AHEAD * src_stride : 0;
		if (left)
			left_row(a, b, ahead, dst + (intptr_t)y * dst_stride, from, to);
		else
			centred_row(a, b, ahead, dst + (intptr_t)y * dst_stride, from, to);
	}
}
#else
#include <stdlib.h>
void mr_halve_plane(const uint8_t *src, int src_stride, uint8_t *dst, int dst_stride, int from, int to, int height, int left)
{
	(void)src, (void)src_stride, (void)dst, (void)dst_stride, (void)from, (void)to, (void)height, (void)left;
	abort(); // never chosen: mr_filter_supported says no
}
#endif
