/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fire: the descriptor of this CPU and context level is filled with what the enabling asks for,
 * and the doorbell runs the host's side before the next instruction.
 *
 * Rules of the firing path: it runs in any context (thread, interrupt, trap, NMI), with any lock
 * held; interrupts are off from the first look at the CPU to the last, so nothing moves us and only
 * an NMI or a fault of our own comes between. It takes no lock, allocates nothing, sleeps never,
 * and calls nothing of the kernel, but for panic() and the debugger where a script asks for them.
 */
#include "hypertrace.h"

#include <sys/jail.h>
#include <sys/ucred.h>
#include <machine/frame.h>

void
ht_drop(void)
{
	atomic_add_64(&ht_cpus[curcpu].drops, 1);
}

static void
fill_ids(struct ht_fire *fire, const struct thread *td)
{
	const struct proc *p = td->td_proc, *parent = p->p_pptr;
	const struct ucred *cred = td->td_ucred;

	/* Structures of processes are never unmapped, so a parent that just goes can be read. */
	fire->pid = p->p_pid;
	fire->tid = td->td_tid;
	fire->ppid = parent != NULL ? parent->p_pid : 0;
	fire->uid = cred != NULL ? cred->cr_ruid : 0;
	fire->gid = cred != NULL ? cred->cr_rgid : 0;
}

static void
fill_execname(struct ht_fire *fire, const struct thread *td)
{
	const char *from = td->td_proc->p_comm;
	size_t i;

	for (i = 0; i < sizeof(fire->execname); i++)
		fire->execname[i] = i < sizeof(td->td_proc->p_comm) ? from[i] : 0;
}

static void
fill_user(struct ht_fire *fire, const struct thread *td)
{
	const struct trapframe *frame = td->td_frame;

	fire->user_ip = fire->user_sp = fire->user_fp = 0;
	if ((td->td_proc->p_flag & P_KPROC) != 0 || frame == NULL)
		return;
	fire->user_ip = frame->tf_rip;
	fire->user_sp = frame->tf_rsp;
	fire->user_fp = frame->tf_rbp;
}

/* Fills what the context bits ask for and returns the bytes of the body. */
static uint32_t
fill(struct ht_fire *fire, const struct ht_event *event, uint16_t context, uint16_t frames)
{
	const struct thread *td = curthread;
	uint32_t i;

	for (i = 0; i < HT_ARGS; i++)
		fire->args[i] = i < event->nargs ? event->args[i] : 0;
	fire->probe = event->id;
	fire->present = context & (HT_CONTEXT_IDS | HT_CONTEXT_EXECNAME | HT_CONTEXT_KSTACK |
	    HT_CONTEXT_UREGS | HT_CONTEXT_VTIMESTAMP);
	fire->thread = (uintptr_t)td;
	fire->errno = event->error;
	fire->guest_time = ht_now();
	fire->ip = event->ip;
	fire->sp = event->sp;
	fire->fp = event->fp;
	fire->user_cr3 = 0;
	fire->nstack = 0;
	fire->reserved = 0;
	if ((context & HT_CONTEXT_IDS) != 0)
		fill_ids(fire, td);
	if ((context & HT_CONTEXT_EXECNAME) != 0)
		fill_execname(fire, td);
	if ((context & HT_CONTEXT_VTIMESTAMP) != 0 && !ht_thread_time(&fire->vtimestamp))
		fire->present &= ~HT_CONTEXT_VTIMESTAMP;
	if ((context & HT_CONTEXT_UREGS) != 0)
		fill_user(fire, td);
	if ((context & HT_CONTEXT_KSTACK) != 0)
		fire->nstack = ht_stack(event, (uint64_t *)(fire + 1), MIN(frames, HT_MAX_STACK));
	return (sizeof(*fire) + fire->nstack * sizeof(uint64_t));
}

/* Context: interrupts off, on this CPU. */
static void
fire_on(struct ht_cpu *cpu, const struct ht_event *event, const struct ht_probe *probe)
{
	int level = curthread->td_intr_nesting_level > 0 ? HT_LEVEL_HARDIRQ : HT_LEVEL_TASK;
	struct ht_page *page = cpu->page[level];
	uint32_t length;

	if (HT_READ(cpu->busy) != 0) {
		cpu->drops++;
		return;
	}
	HT_WRITE(cpu->busy, 1);
	length = fill((void *)page->body, event, HT_READ(probe->context), HT_READ(probe->frames));
	if (ht_ring(page, cpu->frame[level], HT_CALL_FIRE, length, ++cpu->sequence) ==
	    HT_STATUS_OK && ht_destructive)
		ht_act(cpu, (void *)page->body);
	HT_WRITE(cpu->busy, 0);
}

void
ht_fire(const struct ht_event *event)
{
	const struct ht_probe *probe = ht_probe(event->id);
	register_t flags;

	if (probe == NULL || !HT_READ(probe->enabled))
		return;
	flags = intr_disable();
	fire_on(&ht_cpus[curcpu], event, probe);
	intr_restore(flags);
}
