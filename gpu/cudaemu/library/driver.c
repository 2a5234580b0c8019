// TEST EQUIPMENT: the entry points of the CUDA driver that package cuda calls, on
// the CPU. Memory is the host's, a stream is a thread that works off its queue,
// the kernel is the same source compiled as C. It checks what a card would not
// forgive (addresses, pinned memory) and fails on demand, but says nothing about
// the speed of a card, and has neither NVDEC nor NVENC.
#define _GNU_SOURCE
#include "emulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long address_t;

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
faults fault;
int is_lost;
int live_objects, running;

static block *blocks;
static long used[2]; // bytes on the card and pinned
static int launches, contexts;
static __thread int current; // contexts on this thread's stack

static long setting(const char *name, long otherwise)
{
	const char *all = getenv("MILLRACE_CUDA_EMULATION"), *at = all ? strstr(all, name) : NULL;
	return at && at[strlen(name)] == '=' ? atol(at + strlen(name) + 1) : otherwise;
}

int cuInit(unsigned flags)
{
	pthread_mutex_lock(&lock);
	fault = (faults){setting("devices", 1), setting("version", 12040), setting("capability", 75), setting("memory", 0),
			 setting("launch", 0), setting("lost", 0), setting("hang", 0), setting("slow", 0)};
	launches = is_lost = 0;
	pthread_mutex_unlock(&lock);
	return flags ? INVALID_VALUE : fault.devices ? SUCCESS : NO_DEVICE;
}

int live(void)
{
	int n = live_objects + contexts;
	for (block *b = blocks; b; b = b->next)
		n++;
	return n;
}

int millrace_emulation_live(void)
{
	pthread_mutex_lock(&lock);
	const int n = live();
	pthread_mutex_unlock(&lock);
	return n;
}

int cuDriverGetVersion(int *version) { return *version = (int)fault.version, SUCCESS; }
int cuDeviceGetCount(int *count) { return *count = (int)fault.devices, SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, ordinal < fault.devices ? SUCCESS : INVALID_DEVICE; }
int cuDeviceGetName(char *name, int size, int device)
{
	snprintf(name, (size_t)size, "driver emulation (test equipment) %d", device);
	return SUCCESS;
}
int cuDeviceGetAttribute(int *value, int attribute, int device)
{
	(void)device;
	*value = attribute == 75 ? (int)fault.capability / 10 : attribute == 76 ? (int)fault.capability % 10 : 1;
	return SUCCESS;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
	(void)device;
	return *bytes = fault.memory ? (size_t)fault.memory : 1u << 30, SUCCESS;
}
int cuGetErrorString(int error, const char **text)
{
	*text = error == OUT_OF_MEMORY ? "out of memory" : error == LAUNCH_FAILED ? "unspecified launch failure" :
		error == INVALID_VALUE ? "invalid argument" : error == NO_DEVICE ? "no CUDA-capable device is detected" :
		error == INVALID_IMAGE ? "device kernel image is invalid" : "emulated failure";
	return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **context, int device)
{
	pthread_mutex_lock(&lock);
	contexts++;
	*context = (char *)&contexts + device;
	pthread_mutex_unlock(&lock);
	return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
	(void)device;
	pthread_mutex_lock(&lock);
	contexts--;
	pthread_mutex_unlock(&lock);
	return SUCCESS;
}

int cuCtxPushCurrent_v2(void *context) { return context ? current++, SUCCESS : INVALID_CONTEXT; }
int cuCtxPopCurrent_v2(void **context) { return *context = NULL, current-- > 0 ? SUCCESS : INVALID_CONTEXT; }

// ENTER takes the lock for a call that needs a current context and a living card.
#define ENTER() \
	if (!current) \
		return INVALID_CONTEXT; \
	pthread_mutex_lock(&lock); \
	if (is_lost) { \
		pthread_mutex_unlock(&lock); \
		return UNKNOWN; \
	}
#define LEAVE(result) \
	do { \
		const int left = (result); \
		pthread_mutex_unlock(&lock); \
		return left; \
	} while (0)

int holds(const void *at, size_t size, int host)
{
	const char *start = at;
	for (block *b = blocks; b; b = b->next)
		if (b->host == host && start >= b->start && start + size <= b->start + b->size)
			return 1;
	return 0;
}

static int allocate(void **at, size_t size, int host)
{
	block *b;
	if (size == 0)
		return INVALID_VALUE;
	if (fault.memory && used[host] + (long)size > fault.memory)
		return OUT_OF_MEMORY;
	b = malloc(sizeof *b);
	*b = (block){blocks, aligned_alloc(256, (size + 255) & ~(size_t)255), size, host};
	memset(b->start, 0xa5, size); // what nobody wrote is seen
	blocks = b;
	used[host] += (long)size;
	*at = b->start;
	return SUCCESS;
}

// release waits for the work in progress, as cuMemFree does.
static int release(void *at, int host)
{
	while (running)
		pthread_cond_wait(&changed, &lock);
	for (block **b = &blocks; *b; b = &(*b)->next) {
		block *found = *b;
		if (found->start != at || found->host != host)
			continue;
		used[host] -= (long)found->size;
		*b = found->next;
		free(found->start);
		free(found);
		return SUCCESS;
	}
	return INVALID_VALUE;
}

// A lost card still takes its memory back, so that leaks show.
#define TAKE(action) \
	if (!current) \
		return INVALID_CONTEXT; \
	pthread_mutex_lock(&lock); \
	LEAVE(action)

int cuMemAlloc_v2(address_t *at, size_t size)
{
	ENTER();
	LEAVE(allocate((void **)at, size, 0));
}
int cuMemHostAlloc(void **at, size_t size, unsigned flags)
{
	(void)flags;
	ENTER();
	LEAVE(allocate(at, size, 1));
}
int cuMemFree_v2(address_t at) { TAKE(release((void *)(uintptr_t)at, 0)); }
int cuMemFreeHost(void *at) { TAKE(release(at, 1)); }

int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *options, void **values)
{
	(void)count, (void)options, (void)values;
	ENTER();
	if (!strstr(image, ".visible .entry"))
		LEAVE(INVALID_IMAGE);
	live_objects++;
	*module = strdup(image);
	LEAVE(SUCCESS);
}

int cuModuleUnload(void *module)
{
	pthread_mutex_lock(&lock);
	live_objects--;
	free(module);
	LEAVE(SUCCESS);
}

int cuModuleGetFunction(void **function, void *module, const char *name)
{
	char entry[128];
	snprintf(entry, sizeof entry, ".entry %s(", name);
	if (!strstr(module, entry) || strcmp(name, "millrace_compose"))
		return NOT_FOUND;
	*function = (void *)(uintptr_t)run_kernel;
	return SUCCESS;
}

int cuStreamCreate(void **made, unsigned flags)
{
	(void)flags;
	ENTER();
	*made = stream_new();
	live_objects++;
	LEAVE(SUCCESS);
}

int cuStreamDestroy_v2(void *s)
{
	stream_close(s);
	pthread_mutex_lock(&lock);
	live_objects--;
	LEAVE(SUCCESS);
}

int cuEventCreate(void **made, unsigned flags)
{
	(void)flags;
	ENTER();
	event *e = calloc(1, sizeof *e);
	e->users = 1;
	*made = e;
	live_objects++;
	LEAVE(SUCCESS);
}

int cuEventDestroy_v2(void *e)
{
	pthread_mutex_lock(&lock);
	event_drop(e);
	live_objects--;
	LEAVE(SUCCESS);
}

int cuEventRecord(void *made, void *s)
{
	ENTER();
	event *e = made;
	e->users++;
	LEAVE(enqueue(s, (task){.kind = RECORD, .event = e, .recording = ++e->wanted}));
}

int cuStreamWaitEvent(void *s, void *made, unsigned flags)
{
	(void)flags;
	ENTER();
	event *e = made;
	e->users++;
	LEAVE(enqueue(s, (task){.kind = WAIT, .event = e, .recording = e->wanted}));
}

int cuEventQuery(void *made)
{
	ENTER();
	const event *e = made;
	LEAVE(e->passed >= e->wanted ? SUCCESS : NOT_READY);
}

int cuEventElapsedTime(float *milliseconds, void *from, void *to)
{
	ENTER();
	*milliseconds = (float)(1000 * (((event *)to)->at - ((event *)from)->at));
	LEAVE(SUCCESS);
}

static int copy(stream *s, void *to, int to_host, const void *from, int from_host, size_t size)
{
	if (!holds(to, size, to_host) || !holds(from, size, from_host))
		return INVALID_VALUE; // pageable memory too: none of it on this path
	return enqueue(s, (task){.kind = COPY, .to = to, .from = from, .size = size});
}

int cuMemcpyHtoDAsync_v2(address_t to, const void *from, size_t size, void *s)
{
	ENTER();
	LEAVE(copy(s, (void *)(uintptr_t)to, 0, from, 1, size));
}
int cuMemcpyDtoHAsync_v2(void *to, address_t from, size_t size, void *s)
{
	ENTER();
	LEAVE(copy(s, to, 1, (void *)(uintptr_t)from, 0, size));
}
int cuMemcpyDtoDAsync_v2(address_t to, address_t from, size_t size, void *s)
{
	ENTER();
	LEAVE(copy(s, (void *)(uintptr_t)to, 0, (void *)(uintptr_t)from, 0, size));
}

int cuLaunchKernel(void *function, unsigned across, unsigned down, unsigned deep, unsigned x, unsigned y, unsigned z,
		   unsigned shared, void *s, void **arguments, void **extra)
{
	ENTER();
	const address_t shows = *(address_t *)arguments[0];
	launches++;
	if (launches == fault.lost)
		is_lost = 1;
	if (launches == fault.launch || is_lost)
		LEAVE(LAUNCH_FAILED);
	if (function != (void *)(uintptr_t)run_kernel || x != 256 || deep * y * z != 1 || shared || extra || !across || !down ||
	    !holds((void *)(uintptr_t)shows, 1, 0))
		LEAVE(INVALID_VALUE);
	LEAVE(enqueue(s, (task){.kind = LAUNCH, .from = (void *)(uintptr_t)shows, .across = (int)across, .down = (int)down,
				.hangs = launches == fault.hang}));
}
