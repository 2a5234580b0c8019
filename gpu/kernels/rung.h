// The making of rungs from a block's tile of the canvas. Part of compose.cu.
#ifndef MILLRACE_RUNG_H
#define MILLRACE_RUNG_H

// px_part is the share of a rung whose windows begin in the tile.
typedef struct {
	px_target one, two; // of the block's planes
	px_int n_x, m_x, n_y, m_y;
	px_int x, y, w, h; // samples of the rung
	float scale;
} px_part;

// px_lowest is the first of m samples whose window begins at `at` or beyond.
PX_INLINE px_int px_lowest(px_int n, px_int m, px_int left, px_int at)
{
	px_int d = px_clamp(at * m / n - 1, 0, m);
	if (at >= n)
		return m;
	for (; d < m; d++) {
		const px_int first = px_axis_at(n, m, left, d).first;
		if ((first > 0 ? first : 0) >= at)
			break;
	}
	return d;
}

// px_bound finds the parts of the rungs that belong to the tile.
PX_INLINE void px_bound(px_block *b, const px_tile *tile, px_int t)
{
	const px_int c = tile->chroma;
	for (px_int i = t; i < 4 * tile->show->rung_count; i += PX_THREADS) {
		const px_picture *rung = &tile->show->rungs[i / 4];
		px_int *bound = &b->bound[i / 4][i & 3];
		if ((i & 3) < 2)
			*bound = px_lowest(tile->width, rung->width >> c, c, tile->x + (i & 1 ? tile->w : 0));
		else
			*bound = px_lowest(tile->height, rung->height >> c, 0, tile->y + (i & 1 ? tile->h : 0));
	}
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

// px_span_of makes the span of a filter along an axis of n samples.
PX_INLINE px_span px_span_of(px_axis axis, px_int n, px_int corner)
{
	const float unit = (float)(1 << PX_WEIGHT) / (float)axis.total;
	px_int left = 1 << PX_WEIGHT, start = px_clamp(axis.first, 0, n - 1);
	px_pair weights = 0;
	px_span span;
	for (px_int i = axis.first; i <= axis.last; i++) {
		px_int weight = (px_int)((float)px_axis_weight(&axis, i) * unit + 0.5f);
		if (i == axis.last || weight > left)
			weight = left;
		left -= weight;
		weights += (px_pair)weight << 16 * (px_clamp(i, 0, n - 1) - start);
	}
	span.start = start - corner;
	span.count = px_clamp(axis.last, 0, n - 1) - start + 1;
	span.near = (px_word)weights;
	span.far = (px_word)(weights >> 32);
	return span;
}

// px_near says whether all filters of the part are spans.
PX_INLINE px_int px_near(const px_part *part) { return part->n_x <= 3 * part->m_x && part->n_y <= 3 * part->m_y; }

PX_INLINE void px_measure_spans(px_block *b, const px_tile *tile, const px_part *part, px_int t)
{
	for (px_int i = t; i < part->w + part->h; i += PX_THREADS) {
		if (i < part->w)
			b->span_across[i] = px_span_of(px_axis_at(part->n_x, part->m_x, tile->chroma, part->x + i), part->n_x, tile->x);
		else
			b->span_down[i - part->w] = px_span_of(px_axis_at(part->n_y, part->m_y, 0, part->y + i - part->w), part->n_y, tile->y);
	}
}

// px_dot is sum and the products of two weights with two samples of four.
PX_INLINE px_word px_dot_near(px_word weights, px_word samples, px_word sum)
{
#if defined(__CUDA__) || defined(__CUDACC__)
	__asm__("dp2a.lo.u32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(weights), "r"(samples));
	return sum;
#else
	return sum + (weights & 0xffff) * (samples & 255) + (weights >> 16) * (samples >> 8 & 255);
#endif
}

PX_INLINE px_word px_dot_far(px_word weights, px_word samples, px_word sum)
{
#if defined(__CUDA__) || defined(__CUDACC__)
	__asm__("dp2a.hi.u32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(weights), "r"(samples));
	return sum;
#else
	return px_dot_near(weights, samples >> 16, sum);
#endif
}

// px_span_row is the weighted sum of four samples that begin at byte `odd` of a
// word, in 1 << PX_SHARP.
PX_INLINE px_word px_span_row(const px_word *words, px_int odd, const px_span *across)
{
	const px_word samples = (px_word)(((px_pair)words[1] << 32 | words[0]) >> 8 * odd);
	const px_word half = 1 << (PX_WEIGHT - PX_SHARP - 1);
	return px_dot_far(across->far, samples, px_dot_near(across->near, samples, half)) >> (PX_WEIGHT - PX_SHARP);
}

// px_scale_spans makes the part of a rung from the tile by spans.
PX_INLINE void px_scale_spans(px_block *b, const px_tile *tile, const px_part *part, px_int t)
{
	const float per_row = 1.0f / (float)part->w;
	const px_word half = 1 << (PX_WEIGHT + PX_SHARP - 1);
	for (px_int i = t; i < part->w * part->h; i += PX_THREADS) {
		const px_int row = (px_int)(((float)i + 0.5f) * per_row), column = i - row * part->w;
		const px_span across = b->span_across[column], down = b->span_down[row];
		const px_int at = down.start * tile->words + (across.start >> 2), odd = across.start & 3;
		for (px_int p = tile->chroma; p <= 2 * tile->chroma; p++) {
			const px_word *words = b->tile[p == 2] + at;
			px_word sum = half + px_span_row(words, odd, &across) * (down.near & 0xffff);
			if (down.count > 1)
				sum += px_span_row(words + tile->words, odd, &across) * (down.near >> 16);
			if (down.count > 2)
				sum += px_span_row(words + 2 * tile->words, odd, &across) * (down.far & 0xffff);
			if (down.count > 3)
				sum += px_span_row(words + 3 * tile->words, odd, &across) * (down.far >> 16);
			*px_at(p == 2 ? &part->two : &part->one, part->x + column, part->y + row) = (px_byte)(sum >> (PX_WEIGHT + PX_SHARP));
		}
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
			*px_at(p == 2 ? &part->two : &part->one, part->x + column, part->y + row) =
				(px_byte)px_average(b, tile, p == 2, part, b->across[column], b->down[row]);
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
			*px_at(p == 2 ? &part->two : &part->one, dx, dy) = (px_byte)((2 * sum + total) / (2 * total));
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
	part.one = px_target_of(rung, c);
	part.two = px_target_of(rung, 2 * c);
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
			if (px_near(&part)) {
				PX_PHASE(px_measure_spans(b, tile, &part, t));
				PX_PHASE(px_scale_spans(b, tile, &part, t));
				continue;
			}
			PX_PHASE(px_measure_rung(b, tile, &part, t));
			PX_PHASE(px_scale_part(b, tile, &part, t));
		}
	}
}

#endif
