#include "card.h"

#include <libavutil/buffer.h>
#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>

// The CUDA types that hwcontext_cuda.h needs, without a toolkit.
#define CUDA_VERSION 11040
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
#include <libavutil/hwcontext_cuda.h>

int mr_card_device(void *context, void *stream, AVBufferRef **device)
{
	AVBufferRef *made = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);
	AVCUDADeviceContext *cuda;
	int result;
	if (!made)
		return AVERROR(ENOMEM);
	cuda = ((AVHWDeviceContext *)made->data)->hwctx;
	cuda->cuda_ctx = context;
	cuda->stream = stream;
	result = av_hwdevice_ctx_init(made);
	if (result < 0)
		av_buffer_unref(&made);
	*device = made;
	return result;
}

int mr_card_frames(AVBufferRef *device, int width, int height, AVBufferRef **frames)
{
	AVBufferRef *made = av_hwframe_ctx_alloc(device);
	AVHWFramesContext *context;
	int result;
	if (!made)
		return AVERROR(ENOMEM);
	context = (AVHWFramesContext *)made->data;
	context->format = AV_PIX_FMT_CUDA;
	context->sw_format = AV_PIX_FMT_NV12;
	context->width = width;
	context->height = height;
	result = av_hwframe_ctx_init(made);
	if (result < 0)
		av_buffer_unref(&made);
	*frames = made;
	return result;
}

// choose takes the card where FFmpeg offers it, else the first format of the CPU. FFmpeg asks again
// without the card when NVDEC does not take the stream.
static enum AVPixelFormat choose(AVCodecContext *decoder, const enum AVPixelFormat *formats)
{
	(void)decoder;
	for (const enum AVPixelFormat *format = formats; *format != AV_PIX_FMT_NONE; format++)
		if (*format == AV_PIX_FMT_CUDA)
			return *format;
	return avcodec_default_get_format(decoder, formats);
}

int mr_card_decode(AVCodecContext *decoder, AVBufferRef *device)
{
	decoder->hw_device_ctx = av_buffer_ref(device);
	decoder->get_format = choose;
	return decoder->hw_device_ctx ? 0 : AVERROR(ENOMEM);
}

int mr_card_input(AVCodecContext *encoder, AVBufferRef *device, AVBufferRef *frames)
{
	encoder->pix_fmt = AV_PIX_FMT_CUDA;
	encoder->sw_pix_fmt = AV_PIX_FMT_NV12;
	encoder->gop_size = -1; // NVENC: no IDR of its own accord
	encoder->hw_device_ctx = av_buffer_ref(device);
	encoder->hw_frames_ctx = av_buffer_ref(frames);
	return encoder->hw_device_ctx && encoder->hw_frames_ctx ? 0 : AVERROR(ENOMEM);
}

static void keep(void *opaque, uint8_t *data)
{
	(void)opaque;
	(void)data;
}

int mr_card_encode(AVCodecContext *encoder, AVFrame *frame, AVPacket *packet, uint8_t *luma, uint8_t *chroma, int stride,
		   int64_t pts, int key)
{
	int result = AVERROR(ENOMEM);
	frame->buf[0] = av_buffer_create(luma, (size_t)stride * encoder->height * 3 / 2, keep, NULL, AV_BUFFER_FLAG_READONLY);
	frame->hw_frames_ctx = av_buffer_ref(encoder->hw_frames_ctx);
	if (frame->buf[0] && frame->hw_frames_ctx) {
		frame->data[0] = luma;
		frame->data[1] = chroma;
		frame->linesize[0] = frame->linesize[1] = stride;
		frame->width = encoder->width;
		frame->height = encoder->height;
		frame->format = AV_PIX_FMT_CUDA;
		frame->color_range = AVCOL_RANGE_MPEG;
		frame->colorspace = AVCOL_SPC_BT709;
		frame->color_primaries = AVCOL_PRI_BT709;
		frame->color_trc = AVCOL_TRC_BT709;
		frame->chroma_location = AVCHROMA_LOC_LEFT;
		frame->pts = pts;
		frame->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
		result = avcodec_send_frame(encoder, frame);
	}
	av_frame_unref(frame);
	return result < 0 ? result : avcodec_receive_packet(encoder, packet);
}

int mr_card_option(const char *encoder, const char *name, const char *value)
{
	const AVCodec *codec = avcodec_find_encoder_by_name(encoder);
	AVCodecContext *context = avcodec_alloc_context3(codec);
	int result = AVERROR(ENOMEM);
	if (codec && context && codec->priv_class)
		result = av_opt_set(context->priv_data, name, value, 0);
	avcodec_free_context(&context);
	return result;
}
