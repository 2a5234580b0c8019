// What FFmpeg's scale_cuda and overlay_cuda launch, for gpu-chain: a launch for each
// plane, a thread for each sample, four bilinear fetches a sample where it scales
// (here 16 plain loads, which the first-level cache serves; FFmpeg's are of a
// texture). Compiled by clang to the PTX beside it, and as C for the driver emulation.
#if defined(__CUDA__) || defined(__CUDACC__)
#define CHAIN_DEVICE static __attribute__((device, always_inline)) inline
typedef const __attribute__((address_space(1))) unsigned char *chain_bytes; // device memory
#else
#define CHAIN_DEVICE static inline
typedef const unsigned char *chain_bytes;
#endif

enum { CHAIN_ACROSS = 32, CHAIN_DOWN = 8 }; // threads of a block

// chain_step is the argument of one launch; Go writes the same layout.
typedef struct {
	const unsigned char *src;
	unsigned char *dst;
	int src_stride, dst_stride; // bytes
	int src_w, src_h;           // samples
	int dst_w, dst_h;
	int x, y;     // of an overlay, in samples of dst
	int channels; // 1: luma; 2: both chroma planes of NV12 at once
	int unused;
} chain_step;

CHAIN_DEVICE int chain_within(int at, int end) { return at < 0 ? 0 : at < end ? at : end - 1; }

// chain_fetch is the bilinear value at a position, where sample centres are at halves.
CHAIN_DEVICE float chain_fetch(const chain_step *s, int channel, float x, float y)
{
	const float left = x - 0.5f < 0 ? 0 : x - 0.5f, top = y - 0.5f < 0 ? 0 : y - 0.5f;
	const int i = (int)left, j = (int)top;
	const float across = left - (float)i, down = top - (float)j;
	const chain_bytes upper = (chain_bytes)s->src + (long long)chain_within(j, s->src_h) * s->src_stride + channel;
	const chain_bytes lower = (chain_bytes)s->src + (long long)chain_within(j + 1, s->src_h) * s->src_stride + channel;
	const int a = chain_within(i, s->src_w) * s->channels, b = chain_within(i + 1, s->src_w) * s->channels;
	return ((float)upper[a] * (1 - across) + (float)upper[b] * across) * (1 - down) +
	       ((float)lower[a] * (1 - across) + (float)lower[b] * across) * down;
}

// chain_reach is how far from the middle the two fetches of an axis are, for a ratio.
CHAIN_DEVICE float chain_reach(float ratio)
{
	float weight = 0.5f * (ratio - 1);
	weight = weight < 0 ? 0 : weight > 1 ? 1 : weight;
	return weight / (0.5f + weight);
}

CHAIN_DEVICE void chain_scale_at(const chain_step *s, int x, int y)
{
	const float across = (float)s->src_w / (float)s->dst_w, down = (float)s->src_h / (float)s->dst_h;
	const float at_x = ((float)x + 0.5f) * across, at_y = ((float)y + 0.5f) * down;
	const float dx = chain_reach(across), dy = chain_reach(down);
	if (x >= s->dst_w || y >= s->dst_h)
		return;
	for (int c = 0; c < s->channels; c++) {
		const float sum = chain_fetch(s, c, at_x - dx, at_y - dy) + chain_fetch(s, c, at_x + dx, at_y - dy) +
				  chain_fetch(s, c, at_x - dx, at_y + dy) + chain_fetch(s, c, at_x + dx, at_y + dy);
		s->dst[(long long)y * s->dst_stride + x * s->channels + c] = (unsigned char)(0.25f * sum + 0.5f);
	}
}

// chain_overlay_at has a thread for every sample below, as the filter has, also where
// nothing is laid over.
CHAIN_DEVICE void chain_overlay_at(const chain_step *s, int x, int y)
{
	const int i = x - s->x, j = y - s->y;
	if (x >= s->dst_w || y >= s->dst_h || i < 0 || j < 0 || i >= s->src_w || j >= s->src_h)
		return;
	for (int c = 0; c < s->channels; c++)
		s->dst[(long long)y * s->dst_stride + x * s->channels + c] = s->src[(long long)j * s->src_stride + i * s->channels + c];
}

#if defined(__CUDA__) || defined(__CUDACC__)
#define CHAIN_KERNEL(name, at) \
	extern "C" __attribute__((global)) void __attribute__((launch_bounds(CHAIN_ACROSS * CHAIN_DOWN))) name(const chain_step *step) \
	{ \
		const int thread = __nvvm_read_ptx_sreg_tid_x(); \
		at(step, (int)__nvvm_read_ptx_sreg_ctaid_x() * CHAIN_ACROSS + thread % CHAIN_ACROSS, \
		   (int)__nvvm_read_ptx_sreg_ctaid_y() * CHAIN_DOWN + thread / CHAIN_ACROSS); \
	}
#else
#define CHAIN_KERNEL(name, at) \
	static void name(const void *step, int across, int down) \
	{ \
		for (int y = 0; y < down * CHAIN_DOWN; y++) \
			for (int x = 0; x < across * CHAIN_ACROSS; x++) \
				at((const chain_step *)step, x, y); \
	}
#endif

CHAIN_KERNEL(chain_scale, chain_scale_at)
CHAIN_KERNEL(chain_overlay, chain_overlay_at)
