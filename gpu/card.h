// FFmpeg on a CUDA card: NVDEC and NVENC with the context that package cuda made. None of it
// runs on the driver emulation, which has neither.
#ifndef MILLRACE_CARD_H
#define MILLRACE_CARD_H

#include <libavcodec/avcodec.h>
#include <stdint.h>

// mr_card_device gives FFmpeg the context and the stream of its copies, which stay the caller's.
// Returns 0 or an AVERROR.
int mr_card_device(void *context, void *stream, AVBufferRef **device);

// mr_card_frames describes NV12 surfaces of that size to an encoder; none is allocated.
int mr_card_frames(AVBufferRef *device, int width, int height, AVBufferRef **frames);

// mr_card_decode lets a decoder that is not open yet use NVDEC where that can decode the stream; otherwise
// it decodes on the CPU by itself.
int mr_card_decode(AVCodecContext *decoder, AVBufferRef *device);

// mr_card_input makes an encoder that is not open yet take such surfaces.
int mr_card_input(AVCodecContext *encoder, AVBufferRef *device, AVBufferRef *frames);

// mr_card_encode encodes one surface, whose memory stays the caller's, and receives the one packet
// that it gives. Returns 0 or an AVERROR.
int mr_card_encode(AVCodecContext *encoder, AVFrame *frame, AVPacket *packet, uint8_t *luma, uint8_t *chroma, int stride,
		   int64_t pts, int key);

// mr_card_option says whether an encoder takes an option with that value: 0, or an AVERROR.
int mr_card_option(const char *encoder, const char *name, const char *value);

#endif
