#include "resample.h"

#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>

int resample_layout(AVChannelLayout *out, const AVFrame *frame)
{
	if (frame->ch_layout.order != AV_CHANNEL_ORDER_UNSPEC)
		return av_channel_layout_copy(out, &frame->ch_layout);
	av_channel_layout_default(out, frame->ch_layout.nb_channels);
	return 0;
}

int resample_open(SwrContext **out, const AVFrame *like, int hz)
{
	AVChannelLayout in = {0}, stereo = AV_CHANNEL_LAYOUT_STEREO;
	int err;

	*out = NULL;
	if ((err = resample_layout(&in, like)) < 0)
		return err;
	err = swr_alloc_set_opts2(out, &stereo, AV_SAMPLE_FMT_FLTP, hz, &in, like->format, like->sample_rate, 0, NULL);
	// A mono source sounds as loud on both sides as it was.
	if (err >= 0 && in.nb_channels == 1) {
		static const double both[2] = {1, 1};
		err = swr_set_matrix(*out, both, 1);
	}
	// The resampler is there from the start, so that bending it later does not
	// restart it.
	if (err >= 0)
		err = av_opt_set_int(*out, "flags", SWR_FLAG_RESAMPLE, 0);
	if (err >= 0)
		err = swr_init(*out);
	if (err < 0)
		swr_free(out);
	av_channel_layout_uninit(&in);
	return err;
}

int resample_matches(const AVFrame *frame, int rate, int format, const AVChannelLayout *layout)
{
	AVChannelLayout in = {0};
	int same = 0;

	if (resample_layout(&in, frame) >= 0)
		same = frame->sample_rate == rate && frame->format == format && av_channel_layout_compare(&in, layout) == 0;
	av_channel_layout_uninit(&in);
	return same;
}

int resample_convert(SwrContext *swr, const AVFrame *frame, float *left, float *right, int room)
{
	uint8_t *out[2] = {(uint8_t *)left, (uint8_t *)right};

	if (!frame)
		return swr_convert(swr, out, room, NULL, 0);
	return swr_convert(swr, out, room, (const uint8_t **)frame->extended_data, frame->nb_samples);
}
