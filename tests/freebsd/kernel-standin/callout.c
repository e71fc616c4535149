/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Callouts: a list a CPU, looked at with every tick. Those with C_DIRECT_EXEC run in the interrupt
 * itself, the others in the CPU's clock thread.
 */
#include "host.h"

#include <sys/callout.h>

/* In c_iflags, beside the kernel's own bits. */
#define	RUNS_DIRECT	0x1000

static struct wheel {
	volatile u_int	lock;
	LIST_HEAD(, callout) list;
	struct callout	*running;
	struct thread	*runner;
	volatile uint32_t due;	/* something for the thread */
} wheels[8];

static sbintime_t
uptime(void)
{
	return (nstosbt(ht_host_now()));
}

sbintime_t
getsbinuptime_(void)
{
	return (uptime());
}

void
callout_init(struct callout *c, int mpsafe __unused)
{
	memset(c, 0, sizeof(*c));
}

void
_callout_init_lock(struct callout *c, struct lock_object *lock, int flags)
{
	memset(c, 0, sizeof(*c));
	c->c_lock = lock;
	c->c_iflags = flags & CALLOUT_RETURNUNLOCKED;
}

/* Takes it off its list; true if it was on one. Called with its wheel locked. */
static bool
cancel(struct callout *c)
{
	if ((c->c_iflags & CALLOUT_PENDING) == 0)
		return (false);
	LIST_REMOVE(c, c_links.le);
	c->c_iflags &= ~CALLOUT_PENDING;
	return (true);
}

int
callout_reset_sbt_on(struct callout *c, sbintime_t sbt, sbintime_t precision,
    callout_func_t *function, void *arg, int cpu, int flags)
{
	struct wheel *before = &wheels[c->c_cpu], *wheel;
	bool cancelled;

	ht_spin_lock(&before->lock);
	cancelled = cancel(c);
	ht_spin_unlock(&before->lock);
	if (cpu >= 0)
		c->c_cpu = cpu;
	wheel = &wheels[c->c_cpu];
	ht_spin_lock(&wheel->lock);
	c->c_time = (flags & C_ABSOLUTE) != 0 ? sbt : uptime() + sbt;
	c->c_precision = precision;
	c->c_func = function;
	c->c_arg = arg;
	c->c_flags |= CALLOUT_ACTIVE;
	c->c_iflags |= CALLOUT_PENDING;
	if ((flags & C_DIRECT_EXEC) != 0)
		c->c_iflags |= RUNS_DIRECT;
	else
		c->c_iflags &= ~RUNS_DIRECT;
	LIST_INSERT_HEAD(&wheel->list, c, c_links.le);
	ht_spin_unlock(&wheel->lock);
	return (cancelled);
}

static int
stop(struct callout *c, int flags)
{
	for (;;) {
		struct wheel *wheel = &wheels[c->c_cpu];
		bool cancelled, running;

		ht_spin_lock(&wheel->lock);
		cancelled = cancel(c);
		running = wheel->running == c;
		c->c_flags &= ~CALLOUT_ACTIVE;
		ht_spin_unlock(&wheel->lock);
		if (!running || (flags & CS_DRAIN) == 0 || wheel->runner == curthread)
			return (running ? 0 : cancelled ? 1 : -1);
		ht_host_yield(ht_bound());
	}
}

#if __FreeBSD_version >= 1500000
int
_callout_stop_safe(struct callout *c, int flags)
{
	return (stop(c, flags));
}
#else
int
_callout_stop_safe(struct callout *c, int flags, callout_func_t *drain __unused)
{
	return (stop(c, flags));
}
#endif

/* Runs one callout that is due, of the kind asked for; false if there is none. */
static bool
run_one(struct wheel *wheel, bool direct)
{
	struct callout *c;
	callout_func_t *function;
	struct lock_object *lock;
	void *arg;

	ht_spin_lock(&wheel->lock);
	LIST_FOREACH(c, &wheel->list, c_links.le)
		if (c->c_time <= uptime() && ((c->c_iflags & RUNS_DIRECT) != 0) == direct)
			break;
	if (c == NULL) {
		ht_spin_unlock(&wheel->lock);
		return (false);
	}
	cancel(c);
	wheel->running = c;
	wheel->runner = curthread;
	function = c->c_func;
	lock = c->c_lock;
	arg = c->c_arg;
	ht_spin_unlock(&wheel->lock);
	if (lock != NULL)
		LOCK_CLASS(lock)->lc_lock(lock, 0);
	function(arg);
	/* The callout may be gone by now; its lock is not. */
	if (lock != NULL)
		LOCK_CLASS(lock)->lc_unlock(lock);
	ht_spin_lock(&wheel->lock);
	wheel->running = NULL;
	wheel->runner = NULL;
	ht_spin_unlock(&wheel->lock);
	return (true);
}

/* Context: the timer's interrupt. */
void
ht_callout_tick(int cpu)
{
	struct wheel *wheel = &wheels[cpu];

	/* A callout in the thread may be interrupted by one here, but `running` is one's alone. */
	if (wheel->running != NULL)
		return;
	while (run_one(wheel, true))
		;
	if (!LIST_EMPTY(&wheel->list)) {
		atomic_add_rel_int(&wheel->due, 1);
		ht_host_wake(&wheel->due, 1);
	}
}

static void
softclock(void *arg)
{
	struct wheel *wheel = arg;
	uint32_t seen;

	for (;;) {
		seen = atomic_load_acq_int(&wheel->due);
		while (run_one(wheel, false))
			;
		ht_host_wait(&wheel->due, seen, -1, ht_bound());
	}
}

void
ht_callout_init(void)
{
	struct proc *p = ht_proc_new("clock", &proc0, proc0.p_ucred);
	int cpu;

	for (cpu = 0; cpu < mp_ncpus; cpu++) {
		struct ht_thread *ht = (struct ht_thread *)ht_spawn(p, "clock", softclock,
		    &wheels[cpu]);

		ht->bound = cpu;
	}
}
