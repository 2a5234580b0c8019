// The pixel contract: the value of every pixel of a canvas and of its rungs.
//
// This file compiles twice. As C it is the reference that tests compare with;
// as CUDA it is the kernel. A device that computes a pixel in another way must
// come within the distance stated for it (CUDA: 1; CPU: see the PSNR table in
// the tests of package gpu).
//
// 1. Pictures are 8-bit 4:2:0, planes Y, Cb, Cr, BT.709 matrix, limited range.
//    No step looks at the meaning of a value: everything is done per plane, in
//    coded values, without linear light, and results are not clipped to 16..235.
//
// 2. A chroma sample stands, horizontally, on the centre of the left one of
//    its two luma columns and, vertically, midway between its two luma rows
//    (chroma location "left", the default of MPEG-2, H.264 and HEVC).
//
// 3. A layer shows src, a rectangle of its picture, in dst, a rectangle of the
//    canvas. All of x, y, w and h are even, so that both rectangles consist of
//    whole chroma samples; w and h are at least 2. src lies within the picture.
//    dst may reach beyond the canvas: only what falls on it exists. Fit, crop
//    and pixel aspect have been resolved into src and dst before.
//
// 4. Scaling is separable; each axis is one of two filters. Let n be the size
//    of src and m that of dst along the axis in samples of the plane, r = n / m.
//    A sample i of src covers [i, i+1).
//      n >= m, area:     dst sample d is the mean of src over the window
//                        [d*r + s, (d+1)*r + s)
//      n <  m, bilinear: dst sample d is the linear interpolation between src
//                        sample centres at the window's centre, (d+0.5)*r + s
//    s is 0, except horizontally on chroma planes, where siting (2.) makes it
//    (1-r)/4: the dst chroma sample is centred on the luma sample that it is
//    sited with. A position beyond the first or last sample of src takes that
//    sample's value: nothing outside src is ever read.
//
// 5. The weighted sum over both axes is exact; the one rounding is at its end,
//    to the nearest integer, halves up.
//
// 6. A layer covers its pixels with alpha 0..255. The shape is dst with its
//    corners cut to quarter circles of `radius` canvas pixels (at most half of
//    dst's smaller side). The coverage of a luma pixel is 255, except near a
//    corner: there it is clamp(radius + 1/2 - distance, 0, 1) * 255 rounded
//    half up, of the distance between the pixel's centre and the circle's
//    (for a radius of 0: none is cut). The coverage of a chroma sample is the
//    mean of its four luma pixels', rounded half up.
//    A layer with a matte has no shape, no radius and no border: its coverage is
//    the matte, a picture of the layer's picture's size, taken through src and
//    dst as the picture is (3. to 5.). Plane 0 covers luma, plane 1 chroma;
//    values are 0..255, plane 2 is not looked at.
//
// 7. A border of `border` whole canvas pixels lies inside the shape: the inner
//    shape is dst moved in by border on each side with radius max(radius -
//    border, 0), its coverage defined alike (0 outside of it). The layer's
//    value is mix(border colour, scaled picture, inner coverage).
//
// 8. mix(a, b, c) = (a*(255-c) + b*c) / 255, to the nearest (ties cannot be).
//    The canvas starts as the background colour. Layers are drawn from the
//    first to the last: pixel = mix(pixel, layer, mix(0, coverage, opacity)).
//
// 9. A rung is the canvas drawn as one opaque layer over all of it: src is the
//    canvas, dst the rung. A rung's pixel is so the area average of the canvas's
//    rounded pixels. A rung of the canvas's size equals it.
#ifndef MILLRACE_PIXEL_H
#define MILLRACE_PIXEL_H

#if defined(__CUDACC__) || defined(__CUDA__) // nvcc, clang without toolkit headers
#define PX_FUNCTION static __attribute__((device)) inline
typedef unsigned char px_byte;
typedef int px_int;
typedef long long px_long;
#define PX_SQRT(x) __builtin_sqrtf(x)
#else
#include <math.h>
#include <stdint.h>
#define PX_FUNCTION static inline
typedef uint8_t px_byte;
typedef int32_t px_int;
typedef int64_t px_long;
#define PX_SQRT(x) sqrtf(x)
#endif

typedef struct {
	px_int x, y, w, h;
} px_rect;

typedef struct {
	px_byte *plane[3];
	px_int stride[3]; // bytes
	px_int step[3];   // bytes from one sample to the next: 2 for the chroma of NV12
	px_int width, height;
} px_picture;

typedef struct {
	px_picture picture;
	px_rect src; // of the picture
	px_rect dst; // of the canvas
	px_int opacity; // 0..255
	px_int radius;  // canvas pixels
	px_int border;  // canvas pixels
	px_byte border_color[3];
	px_picture matte; // no planes: none
} px_layer;

// px_axis is one dst sample's filter along one axis (4.): the weights of src
// samples first..last, in units of 1/total.
typedef struct {
	px_int first, last;
	px_int begin, end; // area: the window; bilinear: begin is the position
	px_int unit;       // of one src sample
	px_int total;
	px_int area;
} px_axis;

PX_FUNCTION px_int px_floor_div(px_int a, px_int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
PX_FUNCTION px_int px_clamp(px_int v, px_int low, px_int high) { return v < low ? low : v > high ? high : v; }

// px_axis_at is the filter of dst sample d. Positions are counted in 1/(4m) of
// a src sample, in which s is (m-n) for left-sited chroma.
PX_FUNCTION px_axis px_axis_at(px_int n, px_int m, px_int left, px_int d)
{
	px_axis axis;
	px_int shift = left ? m - n : 0;
	axis.unit = 4 * m;
	if (n >= m) {
		axis.area = 1;
		axis.total = 4 * n;
		axis.begin = 4 * d * n + shift;
		axis.end = axis.begin + axis.total;
		axis.first = px_floor_div(axis.begin, axis.unit);
		axis.last = px_floor_div(axis.end - 1, axis.unit);
	} else {
		axis.area = 0;
		axis.total = axis.unit;
		axis.begin = 4 * d * n + 2 * n - 2 * m + shift;
		axis.end = axis.begin;
		axis.first = px_floor_div(axis.begin, axis.unit);
		axis.last = axis.first + 1;
	}
	return axis;
}

PX_FUNCTION px_int px_axis_weight(const px_axis *axis, px_int i)
{
	px_int low, high;
	if (!axis->area) {
		px_int fraction = axis->begin - axis->first * axis->unit;
		return i == axis->first ? axis->unit - fraction : fraction;
	}
	low = i * axis->unit;
	high = low + axis->unit;
	if (low < axis->begin)
		low = axis->begin;
	if (high > axis->end)
		high = axis->end;
	return high - low;
}

// px_scaled is the value of sample (dx, dy) of plane p of src scaled to dst
// (4., 5.); dx and dy count samples of the plane from dst's corner.
PX_FUNCTION px_int px_scaled(const px_picture *picture, px_rect src, px_rect dst, px_int p, px_int dx, px_int dy)
{
	px_int chroma = p > 0;
	px_int width = src.w >> chroma, height = src.h >> chroma;
	px_int stride = picture->stride[p], step = picture->step[p], i, j;
	const px_byte *corner = picture->plane[p] + (px_long)(src.y >> chroma) * stride + (src.x >> chroma) * step;
	px_axis across = px_axis_at(width, dst.w >> chroma, chroma, dx);
	px_axis down = px_axis_at(height, dst.h >> chroma, 0, dy);
	px_long sum = 0, total = (px_long)across.total * down.total;
	for (j = down.first; j <= down.last; j++) {
		const px_byte *row = corner + (px_long)px_clamp(j, 0, height - 1) * stride;
		px_long line = 0;
		for (i = across.first; i <= across.last; i++)
			line += (px_long)px_axis_weight(&across, i) * row[px_clamp(i, 0, width - 1) * step];
		sum += line * px_axis_weight(&down, j);
	}
	return (px_int)((2 * sum + total) / (2 * total));
}

// px_mix is 8.
PX_FUNCTION px_int px_mix(px_int a, px_int b, px_int c)
{
	return (2 * (a * (255 - c) + b * c) + 255) / 510;
}

// px_coverage is that of luma pixel (x, y), counted from the corner of a shape
// of w x h with that radius (6.).
PX_FUNCTION px_int px_coverage(px_int w, px_int h, px_int radius, px_int x, px_int y)
{
	float across, down, cover;
	px_int limit = (w < h ? w : h) / 2;
	if (x < 0 || y < 0 || x >= w || y >= h)
		return 0;
	if (radius > limit)
		radius = limit;
	// Twice the distance to the corner circle's centre, along each axis.
	across = (float)(x < radius ? 2 * (radius - x) - 1 : x >= w - radius ? 2 * (x - w + radius) + 1 : 0);
	down = (float)(y < radius ? 2 * (radius - y) - 1 : y >= h - radius ? 2 * (y - h + radius) + 1 : 0);
	if (across == 0 || down == 0)
		return 255;
	cover = (float)radius + 0.5f - 0.5f * PX_SQRT(across * across + down * down);
	return cover <= 0 ? 0 : cover >= 1 ? 255 : (px_int)(cover * 255 + 0.5f);
}

// px_shape is the coverage of sample (x, y) of plane p by the layer's shape,
// or by its inner shape when inset is the border (7.).
PX_FUNCTION px_int px_shape(px_rect dst, px_int radius, px_int inset, px_int p, px_int x, px_int y)
{
	px_int w = dst.w - 2 * inset, h = dst.h - 2 * inset, r = radius > inset ? radius - inset : 0;
	if (p == 0)
		return px_coverage(w, h, r, x - inset, y - inset);
	x = 2 * x - inset;
	y = 2 * y - inset;
	return (px_coverage(w, h, r, x, y) + px_coverage(w, h, r, x + 1, y) + px_coverage(w, h, r, x, y + 1) +
		px_coverage(w, h, r, x + 1, y + 1) + 2) / 4;
}

// px_drawn is canvas sample (x, y) of plane p after the layer was drawn on
// `under`.
PX_FUNCTION px_int px_drawn(const px_layer *layer, px_int p, px_int x, px_int y, px_int under)
{
	px_int chroma = p > 0, value, alpha;
	x -= layer->dst.x >> chroma;
	y -= layer->dst.y >> chroma;
	if (x < 0 || y < 0 || x >= layer->dst.w >> chroma || y >= layer->dst.h >> chroma)
		return under;
	if (layer->matte.plane[0])
		alpha = px_scaled(&layer->matte, layer->src, layer->dst, chroma, x, y);
	else
		alpha = px_shape(layer->dst, layer->radius, 0, p, x, y);
	alpha = px_mix(0, alpha, layer->opacity);
	if (alpha == 0)
		return under;
	value = px_scaled(&layer->picture, layer->src, layer->dst, p, x, y);
	if (layer->border > 0)
		value = px_mix(layer->border_color[p], value,
			       px_shape(layer->dst, layer->radius, layer->border, p, x, y));
	return px_mix(under, value, alpha);
}

#endif
