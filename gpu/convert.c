#include "convert.h"

#include <libavutil/error.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct mr_converter {
	struct SwsContext *sws;
	uint8_t *scratch; // planes of a picture on the way
	size_t size;
};

// picture is 8-bit 4:2:0 unless said otherwise.
typedef struct {
	uint8_t *plane[4];
	int stride[4];
	int width, height;
} picture;

mr_converter *mr_converter_new(void) { return calloc(1, sizeof(mr_converter)); }

void mr_converter_free(mr_converter *converter)
{
	if (!converter)
		return;
	sws_freeContext(converter->sws);
	free(converter->scratch);
	free(converter);
}

// plain names the limited-range twin of FFmpeg's full-range formats.
static enum AVPixelFormat plain(int format)
{
	switch (format) {
	case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
	case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
	case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
	case AV_PIX_FMT_YUVJ440P: return AV_PIX_FMT_YUV440P;
	default: return format;
	}
}

static int full_range(const AVFrame *frame)
{
	return frame->color_range == AVCOL_RANGE_JPEG || plain(frame->format) != frame->format;
}

static int interlaced(const AVFrame *frame) { return (frame->flags & AV_FRAME_FLAG_INTERLACED) && frame->height >= 4; }

static enum AVColorSpace matrix_of(const AVFrame *frame)
{
	switch (frame->colorspace) {
	case AVCOL_SPC_BT709: return AVCOL_SPC_BT709;
	case AVCOL_SPC_FCC:
	case AVCOL_SPC_BT470BG:
	case AVCOL_SPC_SMPTE170M: return AVCOL_SPC_SMPTE170M;
	case AVCOL_SPC_SMPTE240M: return AVCOL_SPC_SMPTE240M;
	case AVCOL_SPC_BT2020_NCL:
	case AVCOL_SPC_BT2020_CL: return AVCOL_SPC_BT2020_NCL;
	default: return frame->width >= 1280 || frame->height > 576 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
	}
}

static int is_rgb(int format)
{
	const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(format);
	return descriptor && (descriptor->flags & AV_PIX_FMT_FLAG_RGB);
}

static int is_program_color(const AVFrame *frame)
{
	return is_rgb(frame->format) || (matrix_of(frame) == AVCOL_SPC_BT709 && !full_range(frame));
}

int mr_is_program(const AVFrame *frame)
{
	return frame->format == AV_PIX_FMT_YUV420P && is_program_color(frame) && !interlaced(frame) &&
	       frame->linesize[0] > 0 && frame->linesize[1] > 0 && frame->linesize[2] > 0;
}

// reformat brings `in`, of any format, to 8-bit 4:2:0 with its colours as they are.
static int reformat(mr_converter *converter, const picture *in, enum AVPixelFormat format, const picture *out)
{
	const int *bt709 = sws_getCoefficients(SWS_CS_ITU709);
	const uint8_t *data[4] = {in->plane[0], in->plane[1], in->plane[2], in->plane[3]};
	converter->sws = sws_getCachedContext(converter->sws, in->width, in->height, format, out->width, out->height,
					      AV_PIX_FMT_YUV420P, SWS_BILINEAR | SWS_ACCURATE_RND, NULL, NULL, NULL);
	if (!converter->sws)
		return AVERROR(ENOSYS);
	sws_setColorspaceDetails(converter->sws, bt709, is_rgb(format), bt709, 0, 0, 1 << 16, 1 << 16);
	int rows = sws_scale(converter->sws, data, in->stride, 0, in->height, out->plane, out->stride);
	return rows < 0 ? rows : 0;
}

// recolor is a picture's way from one matrix and range to BT.709 limited, in
// units of 1/4096: y' = y0 + yy*y + yu*u + yv*v, u and v without their offset.
typedef struct {
	int y0, yy, yu, yv, uu, uv, vu, vv;
} recolor;

static recolor recolor_from(enum AVColorSpace matrix, int full)
{
	double kr = 0.299, kb = 0.114; // BT.601
	if (matrix == AVCOL_SPC_BT709)
		kr = 0.2126, kb = 0.0722;
	else if (matrix == AVCOL_SPC_SMPTE240M)
		kr = 0.212, kb = 0.087;
	else if (matrix == AVCOL_SPC_BT2020_NCL)
		kr = 0.2627, kb = 0.0593;
	const double to_r = 0.2126, to_b = 0.0722, to_g = 1 - to_r - to_b, kg = 1 - kr - kb;
	// In units where Y is 0..1 and Cb, Cr -0.5..0.5: r = y + r_v*v, b = y + b_u*u,
	// g = y + g_u*u + g_v*v.
	double r_v = 2 * (1 - kr), b_u = 2 * (1 - kb), g_u = -kb * b_u / kg, g_v = -kr * r_v / kg;
	double y_u = to_b * b_u + to_g * g_u, y_v = to_r * r_v + to_g * g_v;
	double luma = full ? 219.0 / 255 : 1, chroma = full ? 224.0 / 255 : 1;
	double mixed = 219.0 / (full ? 255 : 224); // chroma code values to luma's
	recolor m = {
		.y0 = lrint(4096 * (16 - (full ? 0 : 16) * luma)) + 2048,
		.yy = lrint(4096 * luma),
		.yu = lrint(4096 * mixed * y_u),
		.yv = lrint(4096 * mixed * y_v),
		.uu = lrint(4096 * chroma * (b_u - y_u) / (2 * (1 - to_b))),
		.uv = lrint(4096 * chroma * (0 - y_v) / (2 * (1 - to_b))),
		.vu = lrint(4096 * chroma * (0 - y_u) / (2 * (1 - to_r))),
		.vv = lrint(4096 * chroma * (r_v - y_v) / (2 * (1 - to_r))),
	};
	return m;
}

static inline uint8_t byte(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }

static void recolor_chroma_row(const recolor *m, const uint8_t *u, const uint8_t *v, uint8_t *to_u, uint8_t *to_v,
			       int width)
{
	const recolor k = *m;
	for (int x = 0; x < width; x++) {
		int cb = u[x] - 128, cr = v[x] - 128;
		to_u[x] = byte((128 * 4096 + 2048 + k.uu * cb + k.uv * cr) >> 12);
		to_v[x] = byte((128 * 4096 + 2048 + k.vu * cb + k.vv * cr) >> 12);
	}
}

// recolor_luma_row takes the chroma sample that covers the pixel.
static void recolor_luma_row(const recolor *m, const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *to,
			     int width)
{
	const recolor k = *m;
	int x = 0;
	for (; x + 1 < width; x += 2) {
		int add = k.y0 + k.yu * (u[x / 2] - 128) + k.yv * (v[x / 2] - 128);
		to[x] = byte((add + k.yy * y[x]) >> 12);
		to[x + 1] = byte((add + k.yy * y[x + 1]) >> 12);
	}
	if (x < width)
		to[x] = byte((k.y0 + k.yu * (u[x / 2] - 128) + k.yv * (v[x / 2] - 128) + k.yy * y[x]) >> 12);
}

// recolor_picture may work in place.
static void recolor_picture(const recolor *m, const picture *in, const picture *out)
{
	int width = (in->width + 1) / 2, height = (in->height + 1) / 2;
	for (int y = 0; y < in->height; y++)
		recolor_luma_row(m, in->plane[0] + (ptrdiff_t)y * in->stride[0],
				 in->plane[1] + (ptrdiff_t)(y / 2) * in->stride[1],
				 in->plane[2] + (ptrdiff_t)(y / 2) * in->stride[2],
				 out->plane[0] + (ptrdiff_t)y * out->stride[0], in->width);
	for (int y = 0; y < height; y++)
		recolor_chroma_row(m, in->plane[1] + (ptrdiff_t)y * in->stride[1],
				   in->plane[2] + (ptrdiff_t)y * in->stride[2],
				   out->plane[1] + (ptrdiff_t)y * out->stride[1],
				   out->plane[2] + (ptrdiff_t)y * out->stride[2], width);
}

static void mean_row(const uint8_t *a, const uint8_t *b, uint8_t *to, int width)
{
	for (int x = 0; x < width; x++)
		to[x] = (a[x] + b[x] + 1) >> 1;
}

// weave writes a field's lines to the even lines of out, from `first` on, and
// means of neighbours between them.
static void weave(const picture *field, const picture *out, int first)
{
	for (int p = 0; p < 3; p++) {
		int width = p ? (out->width + 1) / 2 : out->width;
		int lines = p ? (field->height + 1) / 2 : field->height;
		int height = p ? (out->height + 1) / 2 : out->height;
		for (int y = 0; y < height; y++) {
			int above = (y - first) >> 1, below = (y - first + 1) >> 1; // equal on the field's lines
			above = above < 0 ? 0 : above < lines ? above : lines - 1;
			below = below < lines ? below : lines - 1;
			mean_row(field->plane[p] + (ptrdiff_t)above * field->stride[p],
				 field->plane[p] + (ptrdiff_t)below * field->stride[p],
				 out->plane[p] + (ptrdiff_t)y * out->stride[p], width);
		}
	}
}

// scratch gives a 4:2:0 picture in the converter's memory.
static int scratch(mr_converter *converter, int width, int height, picture *out)
{
	int luma = (width + 63) & ~63, chroma = ((width + 1) / 2 + 63) & ~63, rows = (height + 1) / 2;
	size_t size = (size_t)luma * height + 2 * (size_t)chroma * rows + 64;
	if (size > converter->size) {
		free(converter->scratch);
		converter->scratch = NULL;
		converter->size = 0;
		if (posix_memalign((void **)&converter->scratch, 64, size))
			return AVERROR(ENOMEM);
		memset(converter->scratch, 0, size);
		converter->size = size;
	}
	*out = (picture){
		.plane = {converter->scratch, converter->scratch + (size_t)luma * height,
			  converter->scratch + (size_t)luma * height + (size_t)chroma * rows},
		.stride = {luma, chroma, chroma},
		.width = width,
		.height = height,
	};
	return 0;
}

// progressive converts everything but fields.
static int progressive(mr_converter *converter, const AVFrame *frame, const picture *in, const picture *out)
{
	picture from = *in;
	enum AVPixelFormat format = plain(frame->format);
	if (format != AV_PIX_FMT_YUV420P || is_program_color(frame)) {
		int result = reformat(converter, in, format, out);
		if (result < 0)
			return result;
		from = *out;
	}
	if (!is_program_color(frame)) {
		recolor m = recolor_from(matrix_of(frame), full_range(frame));
		recolor_picture(&m, &from, out);
	}
	return 0;
}

int mr_convert(mr_converter *converter, const AVFrame *frame, uint8_t *const plane[3], const int stride[3])
{
	picture in = {.width = frame->width, .height = frame->height}, out = in, field;
	for (int i = 0; i < 4; i++) {
		in.plane[i] = frame->data[i];
		in.stride[i] = frame->linesize[i];
	}
	for (int i = 0; i < 3; i++) {
		out.plane[i] = plane[i];
		out.stride[i] = stride[i];
	}
	if (!interlaced(frame))
		return progressive(converter, frame, &in, &out);

	int first = !(frame->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST);
	in.height = frame->height / 4 * 2; // whole chroma lines in either field
	for (int i = 0; i < 4 && in.plane[i]; i++) {
		in.plane[i] += first * in.stride[i];
		in.stride[i] *= 2;
	}
	int result = scratch(converter, in.width, in.height, &field);
	if (result < 0)
		return result;
	result = progressive(converter, frame, &in, &field);
	if (result < 0)
		return result;
	weave(&field, &out, first);
	return 0;
}
