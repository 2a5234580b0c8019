// TEST EQUIPMENT: streams of the emulated driver. Each is a thread, so that work
// of two streams has no order but the one asked for.
#include "emulation.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

// The kernels, compiled as C.
#include "../../kernels/compose.cu"
#include "../../gpubench/chain.cu"

static void compose(const void *shows, int across, int down)
{
	px_block *shared = malloc(sizeof *shared);
	for (int y = 0; y < down; y++) {
		const px_show *show = (const px_show *)shows + y;
		for (int x = 0; x < across && x < show->tiles; x++) {
			memset(shared, 0x5a, sizeof *shared); // blocks share nothing
			px_backwards = x & 1;
			px_compose_block(shared, show, x);
		}
	}
	free(shared);
}

static const struct {
	const char *name;
	kernel run;
} kernels[] = {{"millrace_compose", compose}, {"chain_scale", chain_scale}, {"chain_overlay", chain_overlay}};

enum { KERNELS = sizeof kernels / sizeof *kernels };

kernel kernel_named(const char *name)
{
	for (int i = 0; i < KERNELS; i++)
		if (strcmp(kernels[i].name, name) == 0)
			return kernels[i].run;
	return NULL;
}

int is_kernel(const void *function)
{
	for (int i = 0; i < KERNELS; i++)
		if ((const void *)(uintptr_t)kernels[i].run == function)
			return 1;
	return 0;
}

void event_drop(event *e)
{
	if (--e->users == 0)
		free(e);
}

int enqueue(stream *s, task t)
{
	task *made = malloc(sizeof *made);
	*made = t;
	made->next = NULL;
	*s->last = made;
	s->last = &made->next;
	pthread_cond_broadcast(&changed);
	return SUCCESS;
}

static void linger(void)
{
	struct timespec pause = {fault.slow / 1000000, fault.slow % 1000000 * 1000};
	if (fault.slow)
		nanosleep(&pause, NULL);
}

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

// held says whether the memory of a copy or a launch was not freed meanwhile.
static int held(const task *t)
{
	if (t->kind == LAUNCH)
		return holds(t->from, 1, 0);
	return (holds(t->to, t->size, 0) || holds(t->to, t->size, 1)) && (holds(t->from, t->size, 0) || holds(t->from, t->size, 1));
}

// work does one task. Under lock, which it gives up for copies and launches.
static void work(stream *s, task *t)
{
	switch (t->kind) {
	case RECORD:
		t->event->passed = t->recording;
		t->event->at = now();
		event_drop(t->event);
		return;
	case WAIT:
		while (t->event->passed < t->recording && !s->closing)
			pthread_cond_wait(&changed, &lock);
		event_drop(t->event);
		return;
	case COPY:
	case LAUNCH:
		break;
	}
	while (t->hangs && !s->closing)
		pthread_cond_wait(&changed, &lock);
	if (t->hangs || is_lost || !held(t))
		return;
	running++;
	pthread_mutex_unlock(&lock);
	linger();
	if (t->kind == COPY)
		memmove(t->to, t->from, t->size);
	else
		t->kernel(t->from, t->across, t->down);
	pthread_mutex_lock(&lock);
	running--;
}

static void *run(void *argument)
{
	stream *s = argument;
	pthread_mutex_lock(&lock);
	for (;;) {
		task *t = s->first;
		if (t == NULL) {
			if (s->closing)
				break;
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		s->first = t->next;
		if (s->first == NULL)
			s->last = &s->first;
		work(s, t);
		free(t);
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

stream *stream_new(void)
{
	stream *s = calloc(1, sizeof *s);
	s->last = &s->first;
	pthread_create(&s->thread, NULL, run, s);
	return s;
}

void stream_close(stream *s)
{
	pthread_mutex_lock(&lock);
	s->closing = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(s->thread, NULL);
	free(s);
}
