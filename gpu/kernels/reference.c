#include "reference.h"

void px_compose(const px_picture *canvas, const px_byte background[3], const px_layer *layers, px_int count)
{
	for (px_int p = 0; p < 3; p++) {
		px_int chroma = p > 0;
		for (px_int y = 0; y < canvas->height >> chroma; y++) {
			px_byte *row = canvas->plane[p] + (px_long)y * canvas->stride[p];
			for (px_int x = 0; x < canvas->width >> chroma; x++) {
				px_int value = background[p];
				for (px_int i = 0; i < count; i++)
					value = px_drawn(&layers[i], p, x, y, value);
				row[x * canvas->step[p]] = (px_byte)value;
			}
		}
	}
}

void px_scale(const px_picture *dst, const px_picture *src)
{
	px_rect from = {0, 0, src->width, src->height};
	px_rect to = {0, 0, dst->width, dst->height};
	for (px_int p = 0; p < 3; p++) {
		px_int chroma = p > 0;
		for (px_int y = 0; y < dst->height >> chroma; y++) {
			px_byte *row = dst->plane[p] + (px_long)y * dst->stride[p];
			for (px_int x = 0; x < dst->width >> chroma; x++)
				row[x * dst->step[p]] = (px_byte)px_scaled(src, from, to, p, x, y);
		}
	}
}

void px_mask(px_int w, px_int h, px_int radius, px_int inset, px_byte *luma, px_byte *chroma)
{
	px_rect shape = {0, 0, w, h};
	for (px_int y = 0; y < h; y++)
		for (px_int x = 0; x < w; x++)
			*luma++ = (px_byte)px_shape(shape, radius, inset, 0, x, y);
	for (px_int y = 0; y < h / 2; y++)
		for (px_int x = 0; x < w / 2; x++)
			*chroma++ = (px_byte)px_shape(shape, radius, inset, 1, x, y);
}
