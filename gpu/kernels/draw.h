// The drawing of layers on a block's tile of the canvas. Part of compose.cu.
#ifndef MILLRACE_DRAW_H
#define MILLRACE_DRAW_H

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

// px_plane is a layer's picture in one plane.
typedef struct {
	const px_byte *corner; // of src
	px_int stride, step;
	px_int color; // of the border
} px_plane;

// px_source is a layer as the threads of a block read it: in registers, since
// what they write might change the work list for all that the compiler knows.
typedef struct {
	px_plane first, second; // the block's planes; second is chroma's only
	px_plane matte;         // of both; no corner: none
	px_rect dst;
	px_int opacity, radius, border, solid, ratio;
	px_int x, y, w, h;    // dst in samples of the plane
	px_int right, bottom; // src's last column and row
	float share;          // of one sample of src in the sum
} px_source;

enum { PX_ANY = 0, PX_SAME = 1, PX_HALF = 2 };

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
	return layer->opacity == 255 && layer->radius == 0 && layer->border == 0 && !layer->matte.plane[0];
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

PX_INLINE px_int px_ratio(const px_layer *layer)
{
	if (layer->src.w == layer->dst.w && layer->src.h == layer->dst.h)
		return PX_SAME;
	return layer->src.w == 2 * layer->dst.w && layer->src.h == 2 * layer->dst.h ? PX_HALF : PX_ANY;
}

PX_INLINE px_plane px_plane_in(const px_picture *picture, const px_layer *layer, px_int p)
{
	const px_int c = p > 0;
	px_plane plane;
	plane.stride = picture->stride[p];
	plane.step = picture->step[p];
	plane.corner = picture->plane[p] + (px_long)(layer->src.y >> c) * plane.stride + (layer->src.x >> c) * plane.step;
	plane.color = layer->border_color[p];
	return plane;
}

PX_INLINE px_plane px_plane_of(const px_layer *layer, px_int p) { return px_plane_in(&layer->picture, layer, p); }

PX_INLINE px_source px_source_of(const px_layer *layer, px_int c)
{
	px_source s;
	s.first = px_plane_of(layer, c);
	s.second = px_plane_of(layer, 2 * c);
	s.matte.corner = 0;
	if (layer->matte.plane[0])
		s.matte = px_plane_in(&layer->matte, layer, c);
	s.dst = layer->dst;
	s.opacity = layer->opacity;
	s.radius = layer->radius;
	s.border = layer->border;
	s.solid = px_solid(layer);
	s.ratio = px_ratio(layer);
	s.x = s.dst.x >> c;
	s.y = s.dst.y >> c;
	s.w = s.dst.w >> c;
	s.h = s.dst.h >> c;
	s.right = (layer->src.w >> c) - 1;
	s.bottom = (layer->src.h >> c) - 1;
	s.share = px_share(layer->src.w, s.dst.w) * px_share(layer->src.h, s.dst.h);
	return s;
}

// px_measure makes the filters of the layer for the tile's columns and rows.
PX_INLINE void px_measure(px_block *b, const px_tile *tile, const px_source *s, px_int t)
{
	for (px_int i = t; i < tile->columns + tile->rows; i += PX_THREADS) {
		if (i < tile->columns) {
			const px_int d = tile->x + i - s->x;
			if (d >= 0 && d < s->w)
				b->across[i] = px_tap_of(px_axis_at(s->right + 1, s->w, tile->chroma, d));
		} else {
			const px_int d = tile->y + i - tile->columns - s->y;
			if (d >= 0 && d < s->h)
				b->down[i - tile->columns] = px_tap_of(px_axis_at(s->bottom + 1, s->h, 0, d));
		}
	}
}

// px_any is one sample of the layer's picture, scaled by any ratio.
PX_INLINE px_int px_any(const px_source *s, const px_plane *plane, px_tap across, px_tap down)
{
	float sum = 0, line = 0;
	for (px_int j = down.first; j <= down.last; j++) {
		const px_byte *row = plane->corner + (px_long)px_clamp(j, 0, s->bottom) * plane->stride;
		const px_int first = px_load(row + px_clamp(across.first, 0, s->right) * plane->step);
		px_int whole = first, last = first;
		for (px_int i = across.first + 1; i <= across.last; i++)
			whole += last = px_load(row + px_clamp(i, 0, s->right) * plane->step);
		line = (float)whole - across.head * (float)first - across.tail * (float)last;
		sum += j == down.first ? line - line * down.head : line;
	}
	return px_rounded((sum - line * down.tail) * s->share);
}

// px_halved are four samples of a picture halved along both axes. Chroma is
// sited left: across, its weights are 1, 4 and 3 eighths.
PX_INLINE px_word px_halved(const px_plane *plane, px_int c, px_int x, px_int y)
{
	const px_byte *row = plane->corner + (px_long)(2 * y) * plane->stride + 2 * x * plane->step;
	px_pair sum = 0;
	for (px_int j = 0; j < 2; j++, row += plane->stride) {
		const px_pair all = px_eight(row, plane->step);
		const px_pair even = all & 0x00ff00ff00ff00ffull, odd = all >> 8 & 0x00ff00ff00ff00ffull;
		if (!c)
			sum += even + odd;
		else
			sum += 4 * even + 3 * odd + (odd << 16 | (px_pair)px_load(x > 0 ? row - plane->step : row));
	}
	sum = c ? (sum + 0x0008000800080008ull) >> 4 : (sum + 0x0002000200020002ull) >> 2;
	return px_even(sum & 0x00ff00ff00ff00ffull);
}

// px_over_under draws one sample's value on what is under it (pixel.h, 6. to 8.).
PX_INLINE px_int px_over_under(const px_source *s, px_int color, px_int c, px_int x, px_int y, px_int cover, px_int value, px_int under)
{
	const px_int alpha = px_mix(0, cover, s->opacity);
	if (alpha == 0)
		return under;
	if (s->border > 0)
		value = px_mix(color, value, px_shape(s->dst, s->radius, s->border, c, x, y));
	return px_mix(under, value, alpha);
}

// px_draw_word draws four samples, from column and row of the tile on; (x, y) is
// their place in the layer. Those outside of the layer stay.
PX_INLINE px_word px_draw_word(const px_block *b, const px_tile *tile, const px_source *s, const px_plane *plane, px_int column,
			       px_int row, px_int x, px_int y, px_word under)
{
	const px_int c = tile->chroma, whole = x >= 0 && x + 4 <= s->w && column + 4 <= tile->columns;
	px_word values = 0, drawn = 0;
	if (whole && s->ratio == PX_SAME)
		values = px_four(plane->corner + (px_long)y * plane->stride + x * plane->step, plane->step);
	else if (whole && s->ratio == PX_HALF)
		values = px_halved(plane, c, x, y);
	else
		for (px_int i = 0; i < 4; i++)
			if (x + i >= 0 && x + i < s->w && column + i < tile->columns)
				values |= (px_word)px_any(s, plane, b->across[column + i], b->down[row]) << 8 * i;
	if (whole && s->solid)
		return values;
	for (px_int i = 0; i < 4; i++) {
		px_int value = under >> 8 * i & 255;
		if (x + i >= 0 && x + i < s->w && column + i < tile->columns) {
			const px_int cover = s->matte.corner ? px_any(s, &s->matte, b->across[column + i], b->down[row])
							     : px_shape(s->dst, s->radius, 0, c, x + i, y);
			value = px_over_under(s, plane->color, c, x + i, y, cover, values >> 8 * i & 255, value);
		}
		drawn |= (px_word)value << 8 * i;
	}
	return drawn;
}

// px_draw draws the layer on the tile.
PX_INLINE void px_draw(px_block *b, const px_tile *tile, const px_source *s, px_int t)
{
	const float per_row = 1.0f / (float)tile->words;
	for (px_int i = t; i < tile->words * tile->rows; i += PX_THREADS) {
		const px_int row = (px_int)(((float)i + 0.5f) * per_row), column = 4 * (i - row * tile->words);
		const px_int x = tile->x + column - s->x, y = tile->y + row - s->y;
		if (y < 0 || y >= s->h || x <= -4 || x >= s->w)
			continue;
		b->tile[0][i] = px_draw_word(b, tile, s, &s->first, column, row, x, y, b->tile[0][i]);
		if (tile->chroma)
			b->tile[1][i] = px_draw_word(b, tile, s, &s->second, column, row, x, y, b->tile[1][i]);
	}
}

#endif
