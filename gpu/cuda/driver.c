#define _GNU_SOURCE
#include "driver.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef unsigned long long address_t; // CUdeviceptr

enum { NOT_READY = 600, COMPUTE_MAJOR = 75, COMPUTE_MINOR = 76, PROCESSORS = 16, NON_BLOCKING = 1, NO_TIMING = 2 };
enum { JIT_ERROR_LOG = 5, JIT_ERROR_LOG_SIZE = 6 };

// ENTRY_POINTS lists the name in this file, the symbol and the parameters.
#define ENTRY_POINTS(X) \
	X(init, "cuInit", (unsigned)) \
	X(version, "cuDriverGetVersion", (int *)) \
	X(count, "cuDeviceGetCount", (int *)) \
	X(device, "cuDeviceGet", (int *, int)) \
	X(name, "cuDeviceGetName", (char *, int, int)) \
	X(attribute, "cuDeviceGetAttribute", (int *, int, int)) \
	X(memory, "cuDeviceTotalMem_v2", (size_t *, int)) \
	X(bus, "cuDeviceGetPCIBusId", (char *, int, int)) \
	X(left, "cuMemGetInfo_v2", (size_t *, size_t *)) \
	X(text, "cuGetErrorString", (int, const char **)) \
	X(retain, "cuDevicePrimaryCtxRetain", (void **, int)) \
	X(release, "cuDevicePrimaryCtxRelease_v2", (int)) \
	X(push, "cuCtxPushCurrent_v2", (void *)) \
	X(pop, "cuCtxPopCurrent_v2", (void **)) \
	X(alloc, "cuMemAlloc_v2", (address_t *, size_t)) \
	X(free, "cuMemFree_v2", (address_t)) \
	X(alloc_host, "cuMemHostAlloc", (void **, size_t, unsigned)) \
	X(free_host, "cuMemFreeHost", (void *)) \
	X(module, "cuModuleLoadDataEx", (void **, const void *, unsigned, int *, void **)) \
	X(unload, "cuModuleUnload", (void *)) \
	X(function, "cuModuleGetFunction", (void **, void *, const char *)) \
	X(stream, "cuStreamCreate", (void **, unsigned)) \
	X(stream_destroy, "cuStreamDestroy_v2", (void *)) \
	X(stream_wait, "cuStreamWaitEvent", (void *, void *, unsigned)) \
	X(event, "cuEventCreate", (void **, unsigned)) \
	X(event_destroy, "cuEventDestroy_v2", (void *)) \
	X(record, "cuEventRecord", (void *, void *)) \
	X(query, "cuEventQuery", (void *)) \
	X(elapsed, "cuEventElapsedTime", (float *, void *, void *)) \
	X(upload, "cuMemcpyHtoDAsync_v2", (address_t, const void *, size_t, void *)) \
	X(download, "cuMemcpyDtoHAsync_v2", (void *, address_t, size_t, void *)) \
	X(copy, "cuMemcpyDtoDAsync_v2", (address_t, address_t, size_t, void *)) \
	X(launch, "cuLaunchKernel", (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, \
				     void **, void **))

struct mr_cuda_driver {
	void *library;
	int (*emulated_live)(void); // of the emulation only
#define FIELD(name, symbol, parameters) int(*name) parameters;
	ENTRY_POINTS(FIELD)
};

static address_t address(const void *pointer) { return (address_t)(uintptr_t)pointer; }

mr_cuda_driver *mr_cuda_load(const char *library, char *why, size_t size)
{
	mr_cuda_driver *driver = calloc(1, sizeof *driver);
	if (driver == NULL) {
		snprintf(why, size, "out of memory");
		return NULL;
	}
	driver->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (driver->library == NULL) {
		const char *text = dlerror();
		snprintf(why, size, "%s", text ? text : library);
		free(driver);
		return NULL;
	}
#define FIND(name, symbol, parameters) \
	*(void **)&driver->name = dlsym(driver->library, symbol); \
	if (driver->name == NULL) { \
		snprintf(why, size, "driver too old: it has no %s", symbol); \
		mr_cuda_unload(driver); \
		return NULL; \
	}
	ENTRY_POINTS(FIND)
	*(void **)&driver->emulated_live = dlsym(driver->library, "millrace_emulation_live");
	return driver;
}

void mr_cuda_unload(mr_cuda_driver *driver)
{
	dlclose(driver->library);
	free(driver);
}

int mr_cuda_init(mr_cuda_driver *driver, int *version, int *devices)
{
	int result = driver->init(0);
	*version = *devices = 0;
	driver->version(version);
	return result ? result : driver->count(devices);
}

const char *mr_cuda_error_text(mr_cuda_driver *driver, int result)
{
	const char *text = NULL;
	driver->text(result, &text);
	return text ? text : "unknown error";
}

int mr_cuda_emulated(mr_cuda_driver *driver) { return driver->emulated_live != NULL; }
int mr_cuda_live(mr_cuda_driver *driver) { return driver->emulated_live ? driver->emulated_live() : 0; }

int mr_cuda_describe(mr_cuda_driver *driver, int ordinal, char *name, char *bus, int size, int *major, int *minor, int *processors,
		     size_t *memory)
{
	int device, result = driver->device(&device, ordinal);
	if (!result)
		result = driver->name(name, size, device);
	if (!result)
		result = driver->bus(bus, size, device);
	if (!result)
		result = driver->attribute(major, COMPUTE_MAJOR, device);
	if (!result)
		result = driver->attribute(minor, COMPUTE_MINOR, device);
	if (!result)
		result = driver->attribute(processors, PROCESSORS, device);
	return result ? result : driver->memory(memory, device);
}

int mr_cuda_open(mr_cuda_driver *driver, int ordinal, mr_cuda_device *device)
{
	int result = driver->device(&device->ordinal, ordinal);
	device->driver = driver;
	return result ? result : driver->retain(&device->context, device->ordinal);
}

int mr_cuda_close(mr_cuda_device *device) { return device->driver->release(device->ordinal); }

// IN does one call with the device's context current on this thread.
#define IN(device, call) \
	mr_cuda_driver *d = (device)->driver; \
	void *old; \
	int result = d->push((device)->context); \
	if (result) \
		return result; \
	result = (call); \
	d->pop(&old); \
	return result

int mr_cuda_alloc(mr_cuda_device *device, size_t bytes, void **at)
{
	address_t made = 0;
	mr_cuda_driver *d = device->driver;
	void *old;
	int result = d->push(device->context);
	if (result)
		return result;
	result = d->alloc(&made, bytes);
	d->pop(&old);
	*at = (void *)(uintptr_t)made;
	return result;
}

int mr_cuda_left(mr_cuda_device *device, size_t *bytes)
{
	size_t total;
	IN(device, d->left(bytes, &total));
}

int mr_cuda_free(mr_cuda_device *device, void *at) { IN(device, d->free(address(at))); }
int mr_cuda_alloc_host(mr_cuda_device *device, size_t bytes, void **at) { IN(device, d->alloc_host(at, bytes, 0)); }
int mr_cuda_free_host(mr_cuda_device *device, void *at) { IN(device, d->free_host(at)); }

int mr_cuda_module(mr_cuda_device *device, const char *image, char *log, size_t size, void **module)
{
	int options[] = {JIT_ERROR_LOG, JIT_ERROR_LOG_SIZE};
	void *values[] = {log, (void *)size};
	log[0] = 0;
	IN(device, d->module(module, image, 2, options, values));
}

int mr_cuda_unload_module(mr_cuda_device *device, void *module) { IN(device, d->unload(module)); }
int mr_cuda_function(mr_cuda_device *device, void *module, const char *name, void **function)
{
	IN(device, d->function(function, module, name));
}

int mr_cuda_stream(mr_cuda_device *device, void **stream) { IN(device, d->stream(stream, NON_BLOCKING)); }
int mr_cuda_stream_destroy(mr_cuda_device *device, void *stream) { IN(device, d->stream_destroy(stream)); }
int mr_cuda_event(mr_cuda_device *device, int timed, void **event) { IN(device, d->event(event, timed ? 0 : NO_TIMING)); }
int mr_cuda_event_destroy(mr_cuda_device *device, void *event) { IN(device, d->event_destroy(event)); }
int mr_cuda_record(mr_cuda_device *device, void *stream, void *event) { IN(device, d->record(event, stream)); }
int mr_cuda_stream_wait(mr_cuda_device *device, void *stream, void *event) { IN(device, d->stream_wait(stream, event, 0)); }
int mr_cuda_elapsed(mr_cuda_device *device, void *from, void *to, float *milliseconds)
{
	IN(device, d->elapsed(milliseconds, from, to));
}

static long microseconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static int poll_event(mr_cuda_driver *d, void *event, long microseconds)
{
	const long start = microseconds_now();
	for (;;) {
		const int result = d->query(event);
		const long waited = microseconds_now() - start;
		if (result != NOT_READY)
			return result;
		if (waited > microseconds)
			return -1;
		if (waited > 30) { // what is nearly done is not worth a sleep
			struct timespec pause = {0, waited > 2000 ? 200000 : 20000};
			nanosleep(&pause, NULL);
		}
	}
}

int mr_cuda_wait(mr_cuda_device *device, void *event, long microseconds) { IN(device, poll_event(d, event, microseconds)); }

int mr_cuda_upload(mr_cuda_device *device, void *stream, void *to, const void *from, size_t bytes)
{
	IN(device, d->upload(address(to), from, bytes, stream));
}

int mr_cuda_download(mr_cuda_device *device, void *stream, void *to, const void *from, size_t bytes)
{
	IN(device, d->download(to, address(from), bytes, stream));
}

int mr_cuda_copy(mr_cuda_device *device, void *stream, void *to, const void *from, size_t bytes)
{
	IN(device, d->copy(address(to), address(from), bytes, stream));
}

static int launch(mr_cuda_driver *d, void *stream, void *function, int across, int down, int threads, void *argument)
{
	address_t value = address(argument);
	void *arguments[] = {&value};
	return d->launch(function, (unsigned)across, (unsigned)down, 1, (unsigned)threads, 1, 1, 0, stream, arguments, NULL);
}

int mr_cuda_launch(mr_cuda_device *device, void *stream, void *function, int across, int down, int threads, void *argument)
{
	IN(device, launch(d, stream, function, across, down, threads, argument));
}

static int submit(mr_cuda_driver *d, void *stream, void *function, int across, int down, int threads, void *list,
		  const void *host, size_t bytes, void *event)
{
	int result = d->upload(address(list), host, bytes, stream);
	if (!result)
		result = launch(d, stream, function, across, down, threads, list);
	return result ? result : d->record(event, stream);
}

int mr_cuda_submit(mr_cuda_device *device, void *stream, void *function, int across, int down, int threads, void *list,
	      const void *host, size_t bytes, void *event)
{
	IN(device, submit(d, stream, function, across, down, threads, list, host, bytes, event));
}
