// TEST EQUIPMENT: an emulation of the CUDA driver on the CPU. See driver.c.
#ifndef MILLRACE_CUDA_EMULATION_H
#define MILLRACE_CUDA_EMULATION_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

// Results of the driver API (CUresult).
enum {
	SUCCESS = 0,
	INVALID_VALUE = 1,
	OUT_OF_MEMORY = 2,
	NO_DEVICE = 100,
	INVALID_DEVICE = 101,
	INVALID_IMAGE = 200,
	INVALID_CONTEXT = 201,
	NOT_FOUND = 500,
	NOT_READY = 600,
	LAUNCH_FAILED = 719,
	UNKNOWN = 999,
};

// faults is what the environment asks for: MILLRACE_CUDA_EMULATION is a list
// like "memory=1000000,slow=500". 0 is off. "control=PATH" has the list in a file,
// which a test may write anew at any time; launches count from then.
typedef struct {
	long devices;    // cards; 1 unless set
	long version;    // of the driver, 12040 unless set
	long capability; // 10*major + minor, 75 unless set
	long memory;     // bytes on the card, and as many pinned; unlimited unless set
	long launch;     // the number of the launch that fails, once
	long lost;       // from that launch on every call fails
	long hang;       // the launch that never ends
	long wedge;      // the launch whose call never returns
	long slow;       // microseconds that every copy and launch takes longer
	long on;         // the card that the faults are for; -1 is all
} faults;

extern pthread_mutex_t lock; // of everything
extern pthread_cond_t changed;
extern faults fault;
extern int is_lost;

// block is memory that was allocated; host blocks are pinned.
typedef struct block {
	struct block *next;
	char *start;
	size_t size;
	int host;
} block;

// holds says whether a range lies in one allocated block of that kind. Under lock.
int holds(const void *at, size_t size, int host);
int live(void);
extern int live_objects; // streams, events, modules
extern int running;      // copies and launches in progress

typedef struct {
	long wanted, passed; // recordings asked for and passed
	int users;           // the owner and the queue
	double at;           // seconds of the last one
} event;

typedef enum { COPY, LAUNCH, RECORD, WAIT } kind;

// kernel is one compiled as C: its argument and the grid's sides.
typedef void (*kernel)(const void *argument, int across, int down);

typedef struct task {
	struct task *next;
	kind kind;
	kernel kernel;
	void *to;
	const void *from;
	size_t size;
	event *event;
	long recording;
	int across, down, hangs;
} task;

typedef struct {
	pthread_t thread;
	task *first, **last;
	int closing;
} stream;

// enqueue appends a copy of the task. Under lock.
int enqueue(stream *s, task t);
stream *stream_new(void);
void stream_close(stream *s);
void event_drop(event *e); // under lock
kernel kernel_named(const char *name); // NULL: there is none
int is_kernel(const void *function);

#endif
