// The CUDA driver API as far as it is used: loaded at run time, declared here, so
// that neither a toolkit nor a driver is needed to build or to start.
#ifndef MILLRACE_CUDA_DRIVER_H
#define MILLRACE_CUDA_DRIVER_H

#include <stddef.h>

typedef struct mr_driver mr_driver;

typedef struct {
	mr_driver *driver;
	int ordinal;
	void *context;
} mr_device;

// All functions give a CUresult: 0 is success. Those that take an mr_device make
// its context current for the call on whatever thread they run.

// mr_load opens the library and its entry points. NULL: why says what is missing.
mr_driver *mr_load(const char *library, char *why, size_t size);
void mr_unload(mr_driver *driver);
int mr_init(mr_driver *driver, int *version, int *devices);
const char *mr_error_text(mr_driver *driver, int result);
// mr_emulated says whether the library is the emulation for tests; mr_live then
// counts what was made on it and not given back.
int mr_emulated(mr_driver *driver);
int mr_live(mr_driver *driver);

int mr_describe(mr_driver *driver, int ordinal, char *name, int size, int *major, int *minor, int *processors, size_t *memory);
int mr_open(mr_driver *driver, int ordinal, mr_device *device);
int mr_close(mr_device *device);

int mr_alloc(mr_device *device, size_t bytes, void **address);
int mr_free(mr_device *device, void *address);
int mr_alloc_host(mr_device *device, size_t bytes, void **address);
int mr_free_host(mr_device *device, void *address);

int mr_module(mr_device *device, const char *image, char *log, size_t size, void **module);
int mr_unload_module(mr_device *device, void *module);
int mr_function(mr_device *device, void *module, const char *name, void **function);

int mr_stream(mr_device *device, void **stream);
int mr_stream_destroy(mr_device *device, void *stream);
int mr_event(mr_device *device, int timed, void **event);
int mr_event_destroy(mr_device *device, void *event);
int mr_record(mr_device *device, void *stream, void *event);
int mr_stream_wait(mr_device *device, void *stream, void *event);
// mr_wait polls, so that a device that hangs is given up: -1 after that many microseconds.
int mr_wait(mr_device *device, void *event, long microseconds);
int mr_elapsed(mr_device *device, void *from, void *to, float *milliseconds);

int mr_upload(mr_device *device, void *stream, void *to, const void *from, size_t bytes);
int mr_download(mr_device *device, void *stream, void *to, const void *from, size_t bytes);
int mr_copy(mr_device *device, void *stream, void *to, const void *from, size_t bytes);
int mr_launch(mr_device *device, void *stream, void *function, int across, int down, int threads, void *argument);

// mr_submit is one tick in one call: the work list up, the launch, the event.
int mr_submit(mr_device *device, void *stream, void *function, int across, int down, int threads, void *list,
	      const void *host, size_t bytes, void *event);

#endif
