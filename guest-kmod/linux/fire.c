// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * A fire: the descriptor of this CPU and context level is filled with what the enabling asks for,
 * and the doorbell runs the host's side before the next instruction.
 *
 * Rules of the firing path: it runs in any context (task, softirq, interrupt, NMI), with RCU
 * watching or not; it takes no lock, allocates nothing, sleeps never, and calls only what cannot
 * be traced or what `never_names` in fbt.c keeps from being traced.
 */
#include <linux/cred.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>

#include "hypertrace.h"

static int level_now(void)
{
	if (in_nmi())
		return HT_LEVEL_NMI;
	if (in_hardirq())
		return HT_LEVEL_HARDIRQ;
	return in_serving_softirq() ? HT_LEVEL_SOFTIRQ : HT_LEVEL_TASK;
}

void ht_drop(void)
{
	this_cpu_inc(ht_cpus.drops);
}

static void fill_ids(struct ht_fire *fire, struct task_struct *task)
{
	const struct cred *cred = rcu_dereference_raw(task->cred);
	struct task_struct *parent = rcu_dereference_raw(task->real_parent);

	fire->pid = task->tgid;
	fire->tid = task->pid;
	fire->ppid = parent ? parent->tgid : 0;
	fire->uid = __kuid_val(cred->uid);
	fire->gid = __kgid_val(cred->gid);
}

/* What the scheduler has accounted, and the time since: the account itself moves with the tick. */
static u64 vtimestamp(struct task_struct *task)
{
	u64 start = READ_ONCE(task->se.exec_start);
	s64 since = sched_clock_cpu(raw_smp_processor_id()) - start;

	if (since < 0 || since > NSEC_PER_SEC || task != current)
		since = 0;
	return READ_ONCE(task->se.sum_exec_runtime) + since;
}

/* Another thread's user memory is not that of this CPU: it has no user registers here. */
static void fill_user(struct ht_fire *fire, struct task_struct *task)
{
	struct pt_regs *regs;

	fire->user_ip = fire->user_sp = fire->user_fp = 0;
	if (task != current || task->flags & PF_KTHREAD || !task->mm)
		return;
	regs = task_pt_regs(task);
	fire->user_ip = regs->ip;
	fire->user_sp = regs->sp;
	fire->user_fp = regs->bp;
}

/* Fills what the context bits ask for and returns the bytes of the body. */
static u32 fill(struct ht_fire *fire, const struct ht_event *event, u16 context, u16 frames)
{
	struct task_struct *task = event->task ? event->task : current;
	u64 *stack = (u64 *)(fire + 1);
	u32 i, length, most = context & HT_CONTEXT_NESTED ? HT_MAX_STACK_NESTED : HT_MAX_STACK;

	for (i = 0; i < HT_ARGS; i++)
		fire->args[i] = i < event->nargs ? event->args[i] : 0;
	fire->probe = event->id;
	fire->present = context;
	fire->thread = (unsigned long)task;
	fire->errno = event->errno_;
	/* Not CLOCK_MONOTONIC: that may mean a device to read, which costs a microsecond. */
	fire->guest_time = sched_clock_cpu(raw_smp_processor_id());
	fire->ip = event->ip;
	fire->sp = event->regs ? event->regs->sp : 0;
	fire->fp = event->regs ? event->regs->bp : 0;
	fire->user_cr3 = 0;
	fire->nstack = 0;
	fire->reserved = 0;
	if (context & HT_CONTEXT_IDS)
		fill_ids(fire, task);
	if (context & HT_CONTEXT_EXECNAME)
		memcpy(fire->execname, task->comm, min(sizeof(task->comm), sizeof(fire->execname)));
	if (context & HT_CONTEXT_VTIMESTAMP)
		fire->vtimestamp = vtimestamp(task);
	if (context & HT_CONTEXT_UREGS)
		fill_user(fire, task);
	if (context & HT_CONTEXT_KSTACK) {
		fire->nstack = ht_stack(event, stack, min_t(u32, frames, most));
		if (!fire->ip && fire->nstack)
			fire->ip = stack[0];
	}
	length = sizeof(*fire) + fire->nstack * sizeof(u64);
	if (context & HT_CONTEXT_NESTED) {
		if (ht_nested_fill((void *)(stack + fire->nstack)))
			length += sizeof(struct ht_nested);
		else
			fire->present &= ~HT_CONTEXT_NESTED;
	}
	return length;
}

void ht_fire(const struct ht_event *event)
{
	const struct ht_probe *probe = ht_probe(event->id);
	struct ht_page *page;
	struct ht_cpu *cpu;
	int level;
	u32 length;

	if (!probe || !READ_ONCE(probe->enabled))
		return;
	preempt_disable_notrace();
	cpu = this_cpu_ptr(&ht_cpus);
	level = level_now();
	if (cpu->busy[level]) {
		ht_drop();
		preempt_enable_notrace();
		return;
	}
	WRITE_ONCE(cpu->busy[level], 1);
	barrier();
	page = cpu->page[level];
	length = fill((void *)page->body, event, READ_ONCE(probe->context), READ_ONCE(probe->frames));
	if (ht_ring(page, HT_CALL_FIRE, length, ++cpu->sequence) == HT_STATUS_OK && ht_destructive)
		ht_act((void *)page->body);
	barrier();
	WRITE_ONCE(cpu->busy[level], 0);
	preempt_enable_notrace();
}
