// TEST EQUIPMENT: the entry points of the CUDA driver that package cuda calls, on
// the CPU. Memory is the host's, a stream is a thread that works off its queue,
// the kernel is the same source compiled as C. It checks what a card would not
// forgive (addresses, pinned memory) and fails on demand, but says nothing about
// the speed of a card, and has neither NVDEC nor NVENC.
#define _GNU_SOURCE
#include "emulation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CARDS = 16, MOST_CONTEXTS = 8 };

typedef unsigned long long address_t;

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
faults fault;
int is_lost;
int live_objects, running;

static block *blocks;
static long used[2]; // bytes on the card and pinned
static int launches, contexts;
static char context_of[MOST_CARDS];          // a context is the address of its card's element
static __thread void *stack[MOST_CONTEXTS]; // the contexts that this thread entered
static __thread int current;                // how many

// What the control file said last. It is opened before a sandbox may forbid that.
static int control = -1;
static char told[256];

static long setting(const char *all, const char *name, long otherwise)
{
	const char *at = all ? strstr(all, name) : NULL;
	return at && at[strlen(name)] == '=' ? atol(at + strlen(name) + 1) : otherwise;
}

static void configure(const char *all)
{
	fault = (faults){setting(all, "devices", 1), setting(all, "version", 12040), setting(all, "capability", 75),
			 setting(all, "memory", 0), setting(all, "launch", 0), setting(all, "lost", 0), setting(all, "hang", 0),
			 setting(all, "wedge", 0), setting(all, "slow", 0), setting(all, "on", -1)};
	if (fault.devices > MOST_CARDS)
		fault.devices = MOST_CARDS;
	launches = 0;
}

// obey reads the control file; faults count launches from when it changed. Under lock.
static void obey(void)
{
	char text[sizeof told] = "";
	if (control < 0 || pread(control, text, sizeof text - 1, 0) < 0 || strcmp(text, told) == 0)
		return;
	strcpy(told, text);
	configure(text);
}

int cuInit(unsigned flags)
{
	const char *all = getenv("MILLRACE_CUDA_EMULATION");
	pthread_mutex_lock(&lock);
	is_lost = 0;
	told[0] = 0;
	configure(all);
	if (all && strncmp(all, "control=", 8) == 0 && control < 0)
		control = open(all + 8, O_RDONLY | O_CLOEXEC);
	obey();
	pthread_mutex_unlock(&lock);
	return flags ? INVALID_VALUE : fault.devices ? SUCCESS : NO_DEVICE;
}

// strikes says whether a fault is meant for the current context's card.
static int strikes(void) { return fault.on < 0 || stack[current - 1] == &context_of[fault.on]; }

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
	*context = &context_of[device];
	pthread_mutex_unlock(&lock);
	return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
	(void)device;
	pthread_mutex_lock(&lock);
	contexts--;
	if (contexts == 0 && live() > 0)
		fprintf(stderr, "driver emulation: %d things were left on the card\n", live());
	pthread_mutex_unlock(&lock);
	return SUCCESS;
}

int cuCtxPushCurrent_v2(void *context)
{
	if (!context || current == MOST_CONTEXTS)
		return INVALID_CONTEXT;
	stack[current++] = context;
	return SUCCESS;
}
int cuCtxPopCurrent_v2(void **context)
{
	if (current == 0)
		return INVALID_CONTEXT;
	*context = stack[--current];
	return SUCCESS;
}
// NVIDIA's driver writes capitals here, and so does this one.
int cuDeviceGetPCIBusId(char *id, int size, int device) { return snprintf(id, (size_t)size, "0000:%02X:00.0", device + 0x1b), SUCCESS; }
int cuMemGetInfo_v2(size_t *left, size_t *total)
{
	pthread_mutex_lock(&lock);
	*total = fault.memory ? (size_t)fault.memory : 1u << 30;
	*left = *total > (size_t)used[0] ? *total - (size_t)used[0] : 0;
	pthread_mutex_unlock(&lock);
	return current ? SUCCESS : INVALID_CONTEXT;
}

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
	obey();
	if (fault.memory && strikes() && used[host] + (long)size > fault.memory)
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
	*function = (void *)(uintptr_t)kernel_named(name);
	return strstr(module, entry) && *function ? SUCCESS : NOT_FOUND;
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
	const address_t argument = *(address_t *)arguments[0];
	obey();
	launches += strikes();
	if (strikes() && launches == fault.wedge) { // a driver call that never returns
		pthread_mutex_unlock(&lock);
		for (;;)
			pause();
	}
	if (strikes() && launches == fault.lost)
		is_lost = 1;
	if ((strikes() && launches == fault.launch) || is_lost)
		LEAVE(LAUNCH_FAILED);
	if (!is_kernel(function) || x != 256 || deep * y * z != 1 || shared || extra || !across || !down ||
	    !holds((void *)(uintptr_t)argument, 1, 0))
		LEAVE(INVALID_VALUE);
	LEAVE(enqueue(s, (task){.kind = LAUNCH, .kernel = (kernel)(uintptr_t)function, .from = (void *)(uintptr_t)argument,
				.across = (int)across, .down = (int)down, .hangs = strikes() && launches == fault.hang}));
}
