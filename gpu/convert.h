// Brings decoded pictures to 8-bit 4:2:0, BT.709 matrix, limited range.
//
// Matrix: what the stream says. A stream that says nothing is taken for BT.601
// below 1280x577 (narrower than 1280 and at most 576 lines), else for BT.709:
// what players do. BT.2020 is converted by its matrix alone: primaries and
// transfer (HLG, PQ) stay as they are.
//
// Range: limited unless the stream says full.
//
// Interlaced pictures keep their first field; the lines between are the mean
// of their neighbours. The frame rate stays.
#ifndef MILLRACE_CONVERT_H
#define MILLRACE_CONVERT_H

#include <libavutil/frame.h>
#include <stdint.h>

// mr_is_program reports whether the frame needs no conversion.
int mr_is_program(const AVFrame *frame);

typedef struct mr_converter mr_converter; // what conversions of one stream share

mr_converter *mr_converter_new(void);
void mr_converter_free(mr_converter *converter);

// mr_convert writes the frame, converted, to planes of its size. Returns 0 or
// an AVERROR.
int mr_convert(mr_converter *converter, const AVFrame *frame, uint8_t *const plane[3], const int stride[3]);

#endif
