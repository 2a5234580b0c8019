#include "video.h"

#include "convert.h"

#include <libavutil/buffer.h>
#include <libavutil/hwcontext.h>
#include <string.h>

int mr_send(AVCodecContext *decoder, AVPacket *packet, const uint8_t *data, int size, int64_t pts, int key)
{
	int result = av_new_packet(packet, size); // padded as decoders need it
	if (result < 0)
		return result;
	memcpy(packet->data, data, size);
	packet->pts = pts;
	packet->dts = AV_NOPTS_VALUE;
	if (key)
		packet->flags |= AV_PKT_FLAG_KEY;
	result = avcodec_send_packet(decoder, packet);
	av_packet_unref(packet);
	return result;
}

void mr_flush(AVCodecContext *decoder) { avcodec_flush_buffers(decoder); }

void mr_describe(const AVFrame *frame, mr_decoded *decoded)
{
	memset(decoded, 0, sizeof *decoded);
	for (int i = 0; i < 3; i++) {
		decoded->plane[i] = frame->data[i];
		decoded->stride[i] = frame->linesize[i];
	}
	decoded->width = frame->width;
	decoded->height = frame->height;
	decoded->pts = frame->pts != AV_NOPTS_VALUE ? frame->pts : frame->best_effort_timestamp;
	if (frame->sample_aspect_ratio.num > 0 && frame->sample_aspect_ratio.den > 0)
		decoded->aspect = av_q2d(frame->sample_aspect_ratio);
	decoded->ready = mr_is_program(frame);
	decoded->damaged = frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

int mr_is_surface(const AVFrame *frame)
{
	const AVHWFramesContext *frames = frame->hw_frames_ctx ? (AVHWFramesContext *)frame->hw_frames_ctx->data : NULL;
	AVFrame seen = *frame; // to judge its colours and fields as those of its planar twin
	if (!frames || frames->sw_format != AV_PIX_FMT_NV12)
		return 0;
	seen.format = AV_PIX_FMT_YUV420P;
	seen.linesize[2] = seen.linesize[1];
	return mr_is_program(&seen);
}

int mr_fetch(AVFrame *frame)
{
	AVFrame *host = av_frame_alloc();
	int result = host ? av_hwframe_transfer_data(host, frame, 0) : AVERROR(ENOMEM);
	if (result >= 0)
		result = av_frame_copy_props(host, frame);
	if (result >= 0) {
		av_frame_unref(frame);
		av_frame_move_ref(frame, host);
	}
	av_frame_free(&host);
	return result;
}

static void keep(void *opaque, uint8_t *data)
{
	(void)opaque;
	(void)data;
}

// wrap makes frame show the picture, in buffers that are counted, so that
// libavcodec does not copy it, and that nobody frees.
static int wrap(AVFrame *frame, uint8_t *const plane[3], const int stride[3], int width, int height)
{
	for (int i = 0; i < 3; i++) {
		int rows = i ? (height + 1) / 2 : height;
		frame->buf[i] = av_buffer_create(plane[i], (size_t)stride[i] * (rows - 1) + (i ? (width + 1) / 2 : width),
						 keep, NULL, AV_BUFFER_FLAG_READONLY);
		if (!frame->buf[i])
			return AVERROR(ENOMEM);
		frame->data[i] = plane[i];
		frame->linesize[i] = stride[i];
	}
	frame->width = width;
	frame->height = height;
	frame->format = AV_PIX_FMT_YUV420P;
	frame->color_range = AVCOL_RANGE_MPEG;
	frame->colorspace = AVCOL_SPC_BT709;
	frame->color_primaries = AVCOL_PRI_BT709;
	frame->color_trc = AVCOL_TRC_BT709;
	frame->chroma_location = AVCHROMA_LOC_LEFT;
	return 0;
}

int mr_encode(AVCodecContext *encoder, AVFrame *frame, AVPacket *packet, uint8_t *const plane[3], const int stride[3],
	      int64_t pts, int key)
{
	int result = wrap(frame, plane, stride, encoder->width, encoder->height);
	if (result == 0) {
		frame->pts = pts;
		frame->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
		result = avcodec_send_frame(encoder, frame);
	}
	av_frame_unref(frame);
	if (result < 0)
		return result;
	return avcodec_receive_packet(encoder, packet);
}
