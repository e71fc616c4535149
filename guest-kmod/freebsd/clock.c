/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time on the firing path: the time-stamp counter, scaled by what the kernel measured. A clock that
 * is a device would cost a microsecond and a call into code that may itself be traced.
 */
#include "hypertrace.h"

#include <machine/clock.h>

/* Nanoseconds a cycle, times 2^32; 0 if the kernel does not trust the counter. */
static uint64_t scale;

/* Whether the kernel's account of threads' time counts the same cycles. */
static bool threads;

/* Not before the root file system is there: the kernel measures once more while it boots. */
void
ht_clock_init(void)
{
	uint64_t rate = tsc_freq, other = cpu_tickrate();

	scale = rate != 0 ? (uint64_t)((1000000000ul << 32) / rate) : 0;
	/* Two measures of one counter differ by less than a hundredth. */
	threads = rate != 0 && MAX(rate, other) - MIN(rate, other) < rate / 100;
}

static uint64_t
nanoseconds(uint64_t cycles)
{
	return ((unsigned __int128)cycles * scale >> 32);
}

uint64_t
ht_now(void)
{
	return (scale != 0 ? nanoseconds(rdtsc()) : 0);
}

/* What the current thread has run, with the time since it was put on this CPU; false if unknown. */
bool
ht_thread_time(uint64_t *ns)
{
	int64_t since = rdtsc() - PCPU_GET(switchtime);

	if (!threads)
		return (false);
	*ns = nanoseconds(curthread->td_runtime + MAX(since, 0));
	return (true);
}
