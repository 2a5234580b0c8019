// The CUDA driver API as far as it is used: loaded at run time, declared here, so
// that neither a toolkit nor a driver is needed to build or to start.
#ifndef MILLRACE_CUDA_DRIVER_H
#define MILLRACE_CUDA_DRIVER_H

#include <stddef.h>

typedef struct mr_cuda_driver mr_cuda_driver;

typedef struct {
	mr_cuda_driver *driver;
	int ordinal;
	void *context;
} mr_cuda_device;

// All functions give a CUresult: 0 is success. Those that take an mr_cuda_device make
// its context current for the call on whatever thread they run.

// mr_cuda_load opens the library and its entry points. NULL: why says what is missing.
mr_cuda_driver *mr_cuda_load(const char *library, char *why, size_t size);
void mr_cuda_unload(mr_cuda_driver *driver);
int mr_cuda_init(mr_cuda_driver *driver, int *version, int *devices);
const char *mr_cuda_error_text(mr_cuda_driver *driver, int result);
// mr_cuda_emulated says whether the library is the emulation for tests; mr_cuda_live then
// counts what was made on it and not given back.
int mr_cuda_emulated(mr_cuda_driver *driver);
int mr_cuda_live(mr_cuda_driver *driver);

int mr_cuda_describe(mr_cuda_driver *driver, int ordinal, char *name, char *bus, int size, int *major, int *minor, int *processors,
		     size_t *memory);
int mr_cuda_open(mr_cuda_driver *driver, int ordinal, mr_cuda_device *device);
int mr_cuda_close(mr_cuda_device *device);

int mr_cuda_alloc(mr_cuda_device *device, size_t bytes, void **address);
int mr_cuda_left(mr_cuda_device *device, size_t *bytes); // free on the card
int mr_cuda_free(mr_cuda_device *device, void *address);
int mr_cuda_alloc_host(mr_cuda_device *device, size_t bytes, void **address);
int mr_cuda_free_host(mr_cuda_device *device, void *address);

int mr_cuda_module(mr_cuda_device *device, const char *image, char *log, size_t size, void **module);
int mr_cuda_unload_module(mr_cuda_device *device, void *module);
int mr_cuda_function(mr_cuda_device *device, void *module, const char *name, void **function);

int mr_cuda_stream(mr_cuda_device *device, void **stream);
int mr_cuda_stream_destroy(mr_cuda_device *device, void *stream);
int mr_cuda_event(mr_cuda_device *device, int timed, void **event);
int mr_cuda_event_destroy(mr_cuda_device *device, void *event);
int mr_cuda_record(mr_cuda_device *device, void *stream, void *event);
int mr_cuda_stream_wait(mr_cuda_device *device, void *stream, void *event);
// mr_cuda_wait polls, so that a device that hangs is given up: -1 after that many microseconds.
int mr_cuda_wait(mr_cuda_device *device, void *event, long microseconds);
int mr_cuda_elapsed(mr_cuda_device *device, void *from, void *to, float *milliseconds);

int mr_cuda_upload(mr_cuda_device *device, void *stream, void *to, const void *from, size_t bytes);
int mr_cuda_download(mr_cuda_device *device, void *stream, void *to, const void *from, size_t bytes);
int mr_cuda_copy(mr_cuda_device *device, void *stream, void *to, const void *from, size_t bytes);
int mr_cuda_launch(mr_cuda_device *device, void *stream, void *function, int across, int down, int threads, void *argument);

// mr_cuda_submit is one tick in one call: the work list up, the launch, the event.
int mr_cuda_submit(mr_cuda_device *device, void *stream, void *function, int across, int down, int threads, void *list,
	      const void *host, size_t bytes, void *event);

#endif
