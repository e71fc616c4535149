// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Providers proc, sched and io: D's standard probes.
 *
 * Their names, types and places are the table that the host's side has, too
 * (hypertrace_probes.h). A place is a tracepoint or a function; what it passes is turned into the
 * probes that lie there by one handler below. The first place that this kernel has and that has a
 * handler is a probe's; a probe without one is not announced.
 *
 *   table ──▶ place: a tracepoint ──▶ struct ht_trace  ──▶ handler ──▶ fire(probe, arguments)
 *                    a function   ──▶ struct ht_watch ──▶ handler ──▶ fire(…)
 *
 *   proc  exec watches bprm_execve(), through which every execution goes: before Linux 6.11 there
 *         is no tracepoint before success
 *   io    done watches bio_endio(): the block_bio_complete tracepoint leaves out what multi-queue
 *         disks complete
 *   sched on-cpu fires as the thread that comes, while the kernel still runs the one that goes
 */
#include <linux/binfmts.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "hypertrace.h"
#include "hypertrace_probes.h"

#define ENUMERATOR(id, kind, provider, name, function, nargs, args) id,
enum { HT_STANDARD_PROBES(ENUMERATOR) PROBES };

static u32 ids[PROBES];

/* ---- firing ------------------------------------------------------------------------------ */

static void fire_as(struct task_struct *task, u32 probe, const struct ht_trace *trace,
		    const u64 *args, u32 nargs)
{
	struct ht_event event = {
		.id = ids[probe],
		.args = args,
		.nargs = nargs,
		.task = task,
		.skip = (unsigned long)trace->tp->iterator,
		.skip_size = trace->skip_size,
		.stack = HT_STACK_CALLER,
	};

	ht_fire(&event);
}

/* With the same argument for each of the probe's translations. */
static void fire(u32 probe, const struct ht_trace *trace, u64 arg)
{
	const u64 args[] = { arg, arg, arg };

	fire_as(NULL, probe, trace, args, ARRAY_SIZE(args));
}

static void fire_at(u32 probe, struct pt_regs *regs, u64 arg)
{
	const u64 args[] = { arg, arg, arg };
	struct ht_event event = {
		.id = ids[probe],
		.args = args,
		.nargs = ARRAY_SIZE(args),
		.regs = regs,
		.ip = regs->ip,
		.stack = HT_STACK_REGS,
	};

	ht_fire(&event);
}

/* ---- tracepoints; each handler's data is its trace ---------------------------------------- */

static bool leads(const struct task_struct *task)
{
	return task->pid == task->tgid;
}

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	fire(leads(child) ? HT_PROC_CREATE : HT_PROC_LWP_CREATE, data, (unsigned long)child);
}

static void on_wakeup_new(void *data, struct task_struct *task)
{
	fire_as(task, leads(task) ? HT_PROC_START : HT_PROC_LWP_START, data, NULL, 0);
	fire(HT_SCHED_ENQUEUE, data, (unsigned long)task);
}

static void on_exec_success(void *data, struct task_struct *task, pid_t old, struct linux_binprm *bprm)
{
	fire(HT_PROC_EXEC_SUCCESS, data, (unsigned long)bprm->filename);
}

/* Why a process ends, in the numbers of SIGCHLD's si_code. */
static u64 reason(const struct task_struct *task)
{
	const struct signal_struct *signal = task->signal;
	int code = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : task->exit_code;

	if (!(code & 0x7f))
		return CLD_EXITED;
	return code & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

static void on_exit(void *data, struct task_struct *task)
{
	fire(HT_PROC_LWP_EXIT, data, (unsigned long)task);
	if (!atomic_read(&task->signal->live))
		fire(HT_PROC_EXIT, data, reason(task));
}

static void on_generate(void *data, int sig, struct kernel_siginfo *info, struct task_struct *task,
			int group, int result)
{
	const u64 args[] = { (unsigned long)task, (unsigned long)task, sig };

	/* 0: it is on its way. */
	fire_as(NULL, result ? HT_PROC_SIGNAL_DISCARD : HT_PROC_SIGNAL_SEND, data, args,
		ARRAY_SIZE(args));
}

static void on_deliver(void *data, int sig, struct kernel_siginfo *info, struct k_sigaction *action)
{
	fire(HT_PROC_SIGNAL_HANDLE, data, sig);
}

/* What newer kernels pass behind these, the state the scheduler went by, still stands in `prev`. */
static void on_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	fire(HT_SCHED_OFF_CPU, data, (unsigned long)next);
	if (preempt) {
		fire(HT_SCHED_PREEMPT, data, 0);
	} else if (READ_ONCE(prev->__state)) {
		fire(HT_SCHED_SLEEP, data, 0);
		fire(HT_SCHED_DEQUEUE, data, (unsigned long)prev);
	}
	fire_as(next, HT_SCHED_ON_CPU, data, NULL, 0);
}

static void on_wakeup(void *data, struct task_struct *task)
{
	fire(HT_SCHED_ENQUEUE, data, (unsigned long)task);
}

static void on_waking(void *data, struct task_struct *task)
{
	fire(HT_SCHED_WAKEUP, data, (unsigned long)task);
}

static void on_bio_queue(void *data, struct bio *bio)
{
	fire(HT_IO_START, data, (unsigned long)bio);
}

static struct {
	const char *name;
	struct ht_trace trace;
} traces[] = {
	{ "block_bio_queue", { .probe = on_bio_queue } },
	{ "sched_process_exec", { .probe = on_exec_success } },
	{ "sched_process_exit", { .probe = on_exit } },
	{ "sched_process_fork", { .probe = on_fork } },
	{ "sched_switch", { .probe = on_switch } },
	{ "sched_wakeup", { .probe = on_wakeup } },
	{ "sched_wakeup_new", { .probe = on_wakeup_new } },
	{ "sched_waking", { .probe = on_waking } },
	{ "signal_deliver", { .probe = on_deliver } },
	{ "signal_generate", { .probe = on_generate } },
};

/* ---- functions --------------------------------------------------------------------------- */

static void on_exec(struct pt_regs *regs)
{
	struct linux_binprm *bprm = (void *)regs->di;

	fire_at(HT_PROC_EXEC, regs, (unsigned long)bprm->filename);
}

static void on_exec_done(struct pt_regs *regs, unsigned long ip)
{
	s32 result = regs->ax;
	u64 error = -result;
	struct ht_event event = {
		.id = ids[HT_PROC_EXEC_FAILURE],
		.args = &error,
		.nargs = 1,
		.ip = ip,
		.stack = HT_STACK_RETURN,
		.errno_ = -result,
	};

	if (result < 0)
		ht_fire(&event);
}

static void on_done(struct pt_regs *regs)
{
	struct bio *bio = (void *)regs->di;

	/* A bio that went to no disk, or still waits for parts of it. */
	if (!bio->bi_bdev || (bio_flagged(bio, BIO_CHAIN) && atomic_read(&bio->__bi_remaining) > 1))
		return;
	fire_at(HT_IO_DONE, regs, (unsigned long)bio);
}

static struct {
	struct ht_watch watch;
	u32 users;
} watches[] = {
	{ { .function = "bprm_execve", .entry = on_exec, .leave = on_exec_done } },
	{ { .function = "bio_endio", .entry = on_done } },
};

/* ---- the table --------------------------------------------------------------------------- */

enum how { TRACEPOINT, ENTRY, RETURN, SYSCALL_RETURN };

#define HOOK(id, how, name) { id, how, name },
static const struct {
	u32 probe;
	enum how how;
	const char *name;
} hooks[] = { HT_STANDARD_HOOKS(HOOK) };

/* Where a probe is: traces (a bit each) or, if those are 0, a watch's number and 1; or nowhere. */
static struct {
	u32 traces;
	u32 watch;
} places[PROBES];

static void find_places(void)
{
	u32 i, j;

	memset(places, 0, sizeof(places));
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		u32 probe = hooks[i].probe;

		for (j = 0; j < ARRAY_SIZE(traces); j++)
			if (hooks[i].how == TRACEPOINT && traces[j].trace.tp &&
			    !strcmp(hooks[i].name, traces[j].name))
				places[probe].traces |= 1u << j;
		for (j = 0; j < ARRAY_SIZE(watches); j++)
			if ((hooks[i].how == ENTRY || hooks[i].how == RETURN) &&
			    !strcmp(hooks[i].name, watches[j].watch.function))
				places[probe].watch = j + 1;
	}
}

#define DESCRIPTION(id, kind_, provider_, name_, function_, nargs_, args_)                       \
	[id] = { .kind = kind_, .nargs = nargs_, .index = id, .provider = provider_,              \
		 .module = "vmlinux", .function = function_, .name = name_, .args = args_ },

int ht_standard_publish(void)
{
	static const struct ht_description probes[] = { HT_STANDARD_PROBES(DESCRIPTION) };
	int error = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(traces); i++) {
		traces[i].trace.tp = ht_tracepoint(traces[i].name);
		traces[i].trace.data = &traces[i].trace;
	}
	find_places();
	for (i = 0; i < PROBES; i++) {
		struct ht_description d = probes[i];

		ids[i] = 0;
		if (!places[i].traces && !places[i].watch)
			continue;
		d.address = ht_lookup(d.function);
		ids[i] = ht_probe_add(&d);
	}
	for (i = 0; i < ARRAY_SIZE(watches) && !error; i++) {
		watches[i].users = 0;
		error = ht_fbt_watch(&watches[i].watch);
	}
	return error;
}

static int get_traces(u32 wanted)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(traces); i++) {
		int error = wanted & 1u << i ? ht_trace_get(&traces[i].trace) : 0;

		if (error) {
			while (i--)
				if (wanted & 1u << i)
					ht_trace_put(&traces[i].trace);
			return error;
		}
	}
	return 0;
}

int ht_standard_set(u32 index, bool on)
{
	u32 i, wanted = places[index].traces, watch = places[index].watch;

	if (wanted) {
		if (on)
			return get_traces(wanted);
		for (i = 0; i < ARRAY_SIZE(traces); i++)
			if (wanted & 1u << i)
				ht_trace_put(&traces[i].trace);
		return 0;
	}
	if (!watch)
		return -ENOENT;
	if (on)
		watches[watch - 1].users++;
	else if (watches[watch - 1].users)
		watches[watch - 1].users--;
	WRITE_ONCE(watches[watch - 1].watch.wanted, watches[watch - 1].users != 0);
	ht_fbt_dirty();
	return 0;
}

void ht_standard_exit(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(traces); i++)
		while (traces[i].trace.users)
			ht_trace_put(&traces[i].trace);
	for (i = 0; i < ARRAY_SIZE(watches); i++)
		WRITE_ONCE(watches[i].watch.wanted, false);
	ht_fbt_dirty();
	tracepoint_synchronize_unregister();
}
