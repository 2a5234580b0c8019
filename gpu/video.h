// The calls of libavcodec that happen once a packet or once a frame.
#ifndef MILLRACE_VIDEO_H
#define MILLRACE_VIDEO_H

#include <libavcodec/avcodec.h>
#include <stdint.h>

// mr_decoded describes a decoded AVFrame.
typedef struct {
	uint8_t *plane[3];
	int stride[3]; // bytes
	int width, height;
	int64_t pts;
	double aspect; // of a pixel; 0 while unknown
	int ready;     // is 8-bit 4:2:0 BT.709 limited as it stands
	int damaged;   // decoded with errors
} mr_decoded;

// mr_send copies one access unit into packet and gives it to the decoder.
// Returns 0 or an AVERROR.
int mr_send(AVCodecContext *decoder, AVPacket *packet, const uint8_t *data, int size, int64_t pts, int key);

// mr_flush forgets the stream's past.
void mr_flush(AVCodecContext *decoder);

void mr_describe(const AVFrame *frame, mr_decoded *decoded);

// mr_is_surface says whether a picture on a card is 8-bit 4:2:0 BT.709 limited as it stands, as NV12.
int mr_is_surface(const AVFrame *frame);

// mr_fetch replaces a picture on a card by its copy in host memory. Returns 0 or an AVERROR.
int mr_fetch(AVFrame *frame);

// mr_encode encodes one picture, whose memory stays the caller's, and receives
// the one packet that it gives. Returns 0 or an AVERROR; AVERROR(EAGAIN) is an
// encoder with delay.
int mr_encode(AVCodecContext *encoder, AVFrame *frame, AVPacket *packet, uint8_t *const plane[3], const int stride[3],
	      int64_t pts, int key);

#endif
