#ifndef MILLRACE_AUDIO_RESAMPLE_H
#define MILLRACE_AUDIO_RESAMPLE_H

#include <libavutil/frame.h>
#include <libswresample/swresample.h>

// resample_open makes a resampler from the frame's format to stereo float
// planar at hz, or sets *out to NULL and returns FFmpeg's error.
int resample_open(SwrContext **out, const AVFrame *like, int hz);

// resample_matches reports whether the frame has the format that was opened.
int resample_matches(const AVFrame *frame, int rate, int format, const AVChannelLayout *layout);

// resample_layout copies the frame's channel layout, guessed where unknown.
int resample_layout(AVChannelLayout *out, const AVFrame *frame);

// resample_convert takes a frame (NULL: drain) and writes at most room samples
// to each channel. Returns the number written or FFmpeg's error.
int resample_convert(SwrContext *swr, const AVFrame *frame, float *left, float *right, int room);

#endif
