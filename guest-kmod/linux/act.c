// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Destructive actions: what a fire's answer asks for, if the module was loaded with destructive=1.
 *
 * A signal cannot be sent where a probe fires: the scheduler's and the signals' own locks may be
 * held there. So the process and the signal are noted, one of each CPU at a time, and an interrupt
 * of our own sends it as soon as interrupts are let in; a process that makes a system call gets it
 * before it is back in user mode. What comes while one is noted is left out and counted as a drop.
 */
#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include "hypertrace.h"

/* As long as the host lets a script spin in a second; a wrong answer must not hold a CPU longer. */
#define MOST_CHILL_NS (500 * NSEC_PER_MSEC)

struct signalled {
	struct irq_work work;
	struct pid *process;
	int signal;
	unsigned int busy;
};

static DEFINE_PER_CPU(struct signalled, signals);

/* NULL in a kernel without a debugger. */
static int *kgdb_connected;
static void (*kgdb_breakpoint)(void);

/* Context: interrupt. */
static void send(struct irq_work *work)
{
	struct signalled *it = container_of(work, struct signalled, work);

	kill_pid(it->process, it->signal, 1);
	put_pid(it->process);
	smp_store_release(&it->busy, 0);
}

/* Context: the firing path. */
static void raise(int signal)
{
	struct signalled *it = this_cpu_ptr(&signals);

	if (current->flags & PF_KTHREAD || is_global_init(current) || !valid_signal(signal) || !signal)
		return;
	if (cmpxchg(&it->busy, 0, 1)) {
		ht_drop();
		return;
	}
	it->process = get_pid(task_tgid(current));
	it->signal = signal;
	irq_work_queue(&it->work);
}

/* Context: the firing path. */
static void chill(u64 ns)
{
	int cpu = raw_smp_processor_id();
	u64 start = sched_clock_cpu(cpu);

	ns = min_t(u64, ns, MOST_CHILL_NS);
	while (sched_clock_cpu(cpu) - start < ns)
		cpu_relax();
}

/* Context: the firing path, preemption off. */
void ht_act(const struct ht_fire_reply *reply)
{
	switch (reply->action) {
	case HT_ACTION_STOP:
		raise(SIGSTOP);
		break;
	case HT_ACTION_RAISE:
		raise(reply->arg);
		break;
	case HT_ACTION_CHILL:
		chill(reply->arg);
		break;
	case HT_ACTION_PANIC:
		panic("hypertrace: panic() of a D script");
	case HT_ACTION_BREAKPOINT:
		if (kgdb_breakpoint && READ_ONCE(*kgdb_connected))
			kgdb_breakpoint();
		else
			pr_notice_once("hypertrace: breakpoint(): no kernel debugger listens\n");
		break;
	}
}

void ht_act_init(void)
{
	int cpu;

	kgdb_connected = (void *)ht_lookup("kgdb_connected");
	kgdb_breakpoint = kgdb_connected ? (void *)ht_lookup("kgdb_breakpoint") : NULL;
	for_each_possible_cpu(cpu)
		init_irq_work(&per_cpu(signals, cpu).work, send);
}

/* After the last fire: no signal is under way any more. */
void ht_act_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu(signals, cpu).work);
}
