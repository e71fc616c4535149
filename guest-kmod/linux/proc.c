// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Provider proc: what happens to processes.
 *
 *   exec          a program is about to be executed; arg0 its path (in kernel memory)
 *   exec-success  it runs; arg0 its path
 *   exec-failure  it does not; arg0 the error number
 *   create        a process was made; arg0 the child
 *   lwp-create    a thread was made; arg0 the thread
 *   exit          a process ends; arg0 why: 1 exited, 2 killed, 3 killed with a core dump
 *   lwp-exit      a thread ends
 *
 * The exec probes watch bprm_execve(), through which every execution goes: there is no tracepoint
 * before success. The others are tracepoints of the scheduler.
 */
#include <linux/binfmts.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "hypertrace.h"

enum { EXEC, EXEC_SUCCESS, EXEC_FAILURE, CREATE, LWP_CREATE, EXIT, LWP_EXIT, PROBES };

static u32 ids[PROBES];
static u32 exec_users;

static void on_exec(struct pt_regs *regs);
static void on_exec_done(struct pt_regs *regs, unsigned long ip);
static void on_fork(void *data, struct task_struct *parent, struct task_struct *child);
static void on_task_exit(void *data, struct task_struct *task);
static void on_exec_success(void *data, struct task_struct *task, pid_t old, struct linux_binprm *bprm);

static struct ht_watch exec_watch = {
	.function = "bprm_execve",
	.entry = on_exec,
	.leave = on_exec_done,
};
static struct ht_trace fork_trace = { .probe = on_fork };
static struct ht_trace exit_trace = { .probe = on_task_exit };
static struct ht_trace success_trace = { .probe = on_exec_success };

static void fire(u32 id, u64 arg, struct pt_regs *regs, const struct ht_trace *trace)
{
	struct ht_event event = {
		.id = id,
		.args = &arg,
		.nargs = 1,
		.regs = regs,
		.ip = regs ? regs->ip : 0,
		.skip = trace ? (unsigned long)trace->tp->iterator : 0,
		.skip_size = trace ? trace->skip_size : 0,
		.stack = regs ? HT_STACK_REGS : HT_STACK_CALLER,
	};

	ht_fire(&event);
}

static void on_exec(struct pt_regs *regs)
{
	struct linux_binprm *bprm = (void *)regs->di;

	fire(ids[EXEC], (unsigned long)bprm->filename, regs, NULL);
}

static void on_exec_done(struct pt_regs *regs, unsigned long ip)
{
	s32 result = regs->ax;
	u64 error = -result;
	struct ht_event event = {
		.id = ids[EXEC_FAILURE],
		.args = &error,
		.nargs = 1,
		.ip = ip,
		.stack = HT_STACK_RETURN,
		.errno_ = -result,
	};

	if (result < 0)
		ht_fire(&event);
}

static void on_exec_success(void *data, struct task_struct *task, pid_t old, struct linux_binprm *bprm)
{
	fire(ids[EXEC_SUCCESS], (unsigned long)bprm->filename, NULL, &success_trace);
}

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	u32 id = ids[child->pid == child->tgid ? CREATE : LWP_CREATE];

	fire(id, (unsigned long)child, NULL, &fork_trace);
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

static void on_task_exit(void *data, struct task_struct *task)
{
	fire(ids[LWP_EXIT], (unsigned long)task, NULL, &exit_trace);
	if (!atomic_read(&task->signal->live))
		fire(ids[EXIT], reason(task), NULL, &exit_trace);
}

int ht_proc_publish(void)
{
	static const struct {
		const char *name;
		const char *args;
		const char *function;
	} probes[PROBES] = {
		[EXEC] = { "exec", "char *", "bprm_execve" },
		[EXEC_SUCCESS] = { "exec-success", "char *", "exec_binprm" },
		[EXEC_FAILURE] = { "exec-failure", "int", "bprm_execve" },
		[CREATE] = { "create", "struct task_struct *", "kernel_clone" },
		[LWP_CREATE] = { "lwp-create", "struct task_struct *", "kernel_clone" },
		[EXIT] = { "exit", "int", "do_exit" },
		[LWP_EXIT] = { "lwp-exit", "struct task_struct *", "do_exit" },
	};
	int i;

	fork_trace.tp = ht_tracepoint("sched_process_fork");
	exit_trace.tp = ht_tracepoint("sched_process_exit");
	success_trace.tp = ht_tracepoint("sched_process_exec");
	exec_users = 0;
	for (i = 0; i < PROBES; i++) {
		struct ht_description d = {
			.kind = HT_PROBE_KIND_PROC,
			.nargs = 1,
			.index = i,
			.address = ht_lookup(probes[i].function),
			.provider = "proc",
			.module = "vmlinux",
			.function = probes[i].function,
			.name = probes[i].name,
			.args = probes[i].args,
		};

		ids[i] = ht_probe_add(&d);
	}
	return ht_fbt_watch(&exec_watch);
}

static struct ht_trace *trace_of(u32 index)
{
	switch (index) {
	case EXEC_SUCCESS:
		return &success_trace;
	case CREATE:
	case LWP_CREATE:
		return &fork_trace;
	case EXIT:
	case LWP_EXIT:
		return &exit_trace;
	default:
		return NULL;
	}
}

int ht_proc_set(u32 index, bool on)
{
	struct ht_trace *trace = trace_of(index);

	if (trace) {
		if (on)
			return ht_trace_get(trace);
		ht_trace_put(trace);
		return 0;
	}
	if (on)
		exec_users++;
	else if (exec_users)
		exec_users--;
	WRITE_ONCE(exec_watch.wanted, exec_users != 0);
	ht_fbt_dirty();
	return 0;
}

void ht_proc_exit(void)
{
	static struct ht_trace *const traces[] = { &fork_trace, &exit_trace, &success_trace };
	int i;

	for (i = 0; i < ARRAY_SIZE(traces); i++)
		while (traces[i]->users)
			ht_trace_put(traces[i]);
	WRITE_ONCE(exec_watch.wanted, false);
	ht_fbt_dirty();
	tracepoint_synchronize_unregister();
}
