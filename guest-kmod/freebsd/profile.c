/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Provider profile: timers of the guest's own, one callout a CPU. arg0 is the kernel's program
 * counter, arg1 the user's; one of them is 0.
 *
 * A callout that runs directly is called by the timer's interrupt, on the CPU it is bound to, with
 * the interrupted frame at hand. It sets itself again by the time it should have run, so that the
 * rate holds, unless the CPU was away for more than a period.
 */
#include "hypertrace.h"
#include "hypertrace_rates.h"

#include <sys/callout.h>
#include <sys/time.h>
#include <machine/frame.h>
#include <machine/segments.h>

struct timer {
	struct callout	callout;
	sbintime_t	next;
	uint32_t	rate;
	int		cpu;
};

static struct timer *timers[HT_RATES];	/* one a CPU, or one alone; NULL: not wanted */
static uint32_t ids[HT_RATES];

static sbintime_t
period(uint32_t rate)
{
	return (nstosbt(ht_rates[rate].period));
}

static void
fire(uint32_t id, const struct trapframe *frame)
{
	uint64_t args[2] = { 0, 0 };
	struct ht_event event;

	ht_event_init(&event, args, NULL);
	event.id = id;
	event.nargs = 2;
	if (frame != NULL && (frame->tf_cs & SEL_RPL_MASK) != 0) {
		args[1] = frame->tf_rip;
	} else if (frame != NULL) {
		args[0] = frame->tf_rip;
		event.ip = frame->tf_rip;
		event.sp = frame->tf_rsp;
		event.fp = frame->tf_rbp;
	}
	ht_fire(&event);
}

static void on_timer(void *arg);

static void
set(struct timer *timer)
{
	callout_reset_sbt_on(&timer->callout, timer->next, 0, on_timer, timer, timer->cpu,
	    C_DIRECT_EXEC | C_ABSOLUTE);
}

static void
on_timer(void *arg)
{
	struct timer *timer = arg;
	sbintime_t now = sbinuptime();

	fire(ids[timer->rate], curthread->td_intr_frame);
	timer->next += period(timer->rate);
	if (timer->next < now)
		timer->next = now + period(timer->rate);
	set(timer);
}

void
ht_profile_publish(void)
{
	uint32_t i;

	for (i = 0; i < HT_RATES; i++) {
		struct ht_description d = ht_rate_description(i);

		ids[i] = ht_probe_add(&d);
	}
}

/* Ticks run on the first CPU, which never goes. */
static bool
runs_on(uint32_t rate, int cpu)
{
	return (ht_rate_is_tick(rate) ? cpu == 0 : !CPU_ABSENT(cpu));
}

static void
start(uint32_t rate)
{
	sbintime_t first = sbinuptime() + period(rate);
	struct timer *timer;
	int cpu;

	timers[rate] = malloc((mp_maxid + 1) * sizeof(*timer), M_HYPERTRACE, M_WAITOK | M_ZERO);
	for (cpu = 0; cpu <= mp_maxid; cpu++) {
		timer = &timers[rate][cpu];
		callout_init(&timer->callout, 1);
		timer->next = first;
		timer->rate = rate;
		timer->cpu = cpu;
		if (runs_on(rate, cpu))
			set(timer);
	}
}

static void
stop(uint32_t rate)
{
	int cpu;

	for (cpu = 0; cpu <= mp_maxid; cpu++)
		callout_drain(&timers[rate][cpu].callout);
	free(timers[rate], M_HYPERTRACE);
	timers[rate] = NULL;
}

int
ht_profile_set(uint32_t rate, bool on)
{
	if (on)
		start(rate);
	else
		stop(rate);
	return (0);
}
