/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Destructive actions: what a fire's answer asks for, if the kernel's environment says
 * hypertrace.destructive=1 when we are loaded.
 *
 * A signal cannot be sent where a probe fires: the scheduler's and the signals' own locks may be
 * held there. So the process and the signal are noted, one of each CPU at a time, and our thread
 * sends it at its next turn, a poll's interval later at most. What comes while one is noted is left
 * out and counted as a drop.
 */
#include "hypertrace.h"

#include <sys/kdb.h>
#include <sys/signalvar.h>

/* As long as the host lets a script spin in a second; a wrong answer must not hold a CPU longer. */
#define	MOST_CHILL_NS	500000000ul

bool ht_destructive;

void
ht_act_init(void)
{
	int wanted = 0;

	TUNABLE_INT_FETCH("hypertrace.destructive", &wanted);
	ht_destructive = wanted != 0;
}

/* Context: the firing path. */
static void
note(struct ht_cpu *cpu, int signal)
{
	const struct proc *p = curthread->td_proc;

	if ((p->p_flag & P_KPROC) != 0 || p->p_pid == 1 || !_SIG_VALID(signal))
		return;
	if (HT_READ(cpu->signal) != 0) {
		cpu->drops++;
		return;
	}
	cpu->signalled = p->p_pid;
	atomic_thread_fence_rel();
	HT_WRITE(cpu->signal, signal);
}

/* Context: the firing path. Without a clock there is nothing to wait for. */
static void
chill(uint64_t ns)
{
	uint64_t start = ht_now();

	ns = MIN(ns, MOST_CHILL_NS);
	while (start != 0 && ht_now() - start < ns)
		cpu_spinwait();
}

/* Context: the firing path, interrupts off, on this CPU. */
void
ht_act(struct ht_cpu *cpu, const struct ht_fire_reply *reply)
{
	switch (reply->action) {
	case HT_ACTION_STOP:
		note(cpu, SIGSTOP);
		break;
	case HT_ACTION_RAISE:
		note(cpu, reply->arg);
		break;
	case HT_ACTION_CHILL:
		chill(reply->arg);
		break;
	case HT_ACTION_PANIC:
		panic("hypertrace: panic() of a D script");
	case HT_ACTION_BREAKPOINT:
		kdb_enter("hypertrace", "breakpoint() of a D script");
		break;
	}
}

/* Sends what was noted. Context: our thread. */
void
ht_act_send(void)
{
	struct proc *p;
	int cpu;

	for (cpu = 0; cpu <= mp_maxid; cpu++) {
		int signal = HT_READ(ht_cpus[cpu].signal);

		if (signal == 0)
			continue;
		atomic_thread_fence_acq();
		p = pfind(ht_cpus[cpu].signalled);
		HT_WRITE(ht_cpus[cpu].signal, 0);
		/* The process may be gone, as it may be for kill(2). */
		if (p == NULL)
			continue;
		kern_psignal(p, signal);
		PROC_UNLOCK(p);
	}
}
