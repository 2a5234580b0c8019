// The reference of the pixel contract and the coverage masks made from it.
#ifndef MILLRACE_REFERENCE_H
#define MILLRACE_REFERENCE_H

#include "pixel.h"

// px_compose draws the layers over the background, pixel by pixel.
void px_compose(const px_picture *canvas, const px_byte background[3], const px_layer *layers, px_int count);

// px_scale draws all of src into all of dst: a rung.
void px_scale(const px_picture *dst, const px_picture *src);

// px_mask writes the shape's coverage, one byte a sample, row by row: w*h luma
// and (w/2)*(h/2) chroma samples. inset 0 is the shape, the border the inner one.
void px_mask(px_int w, px_int h, px_int radius, px_int inset, px_byte *luma, px_byte *chroma);

#endif
