/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads and processes. A thread is one of the process that this kernel runs in; its kernel stack
 * is memory of the heap, never used again, so that a stray pointer into it finds what was there.
 */
#include "host.h"

#include <sys/jail.h>
#include <sys/kthread.h>
#include <sys/resourcevar.h>
#include <sys/sched.h>
#include <sys/signalvar.h>
#include <sys/sleepqueue.h>
#include <sys/ucred.h>
#include <vm/vm.h>
#include <vm/pmap.h>
#include <vm/vm_map.h>

#define	STACK_PAGES	32

struct proc proc0;
/* The first thread: its stack is known at boot. */
struct ht_thread ht_kernel_first = { .td = { .td_proc = &proc0 }, .bound = -1 };
struct prison prison0 = { .pr_id = 0, .pr_name = "0" };
static struct ucred root_cred = { .cr_prison = &prison0 };
static struct uidinfo root_uid;
static struct vmspace kernel_space;
static volatile u_int next_pid, next_tid = 100000;
static volatile u_int sleepers_lock, procs_lock;
static LIST_HEAD(, proc) procs = LIST_HEAD_INITIALIZER(procs);

static struct sleeper {
	struct sleeper	*next;
	const void	*chan;
	volatile uint32_t woken;
} *sleepers;

MALLOC_DEFINE(M_STANDIN, "standin", "threads of the stand-in kernel");

__asm(
	"	.text\n"
	"	.globl	ht_thread_enter, ht_thread_leave\n"
	"	.type	ht_thread_enter,@function\n"
	"	.type	ht_thread_leave,@function\n"
	/* (function, argument, place for the stack pointer); a frame pointer of 0 ends the stack. */
	"ht_thread_enter:\n"
	"	pushq	%rbp\n	pushq %rbx\n	pushq %r12\n"
	"	pushq	%r13\n	pushq %r14\n	pushq %r15\n"
	"	subq	$8,%rsp\n"
	"	movq	%rsp,(%rdx)\n"
	"	movq	%rdi,%rax\n	movq %rsi,%rdi\n"
	"	xorl	%ebp,%ebp\n"
	"	call	*%rax\n"
	"1:	addq	$8,%rsp\n"
	"	popq	%r15\n	popq %r14\n	popq %r13\n"
	"	popq	%r12\n	popq %rbx\n	popq %rbp\n"
	"	ret\n"
	"ht_thread_leave:\n"
	"	movq	%rdi,%rsp\n"
	"	jmp	1b\n"
);

void
ht_thread_init(void)
{
	strlcpy(prison0.pr_hostname, "standin.example", sizeof(prison0.pr_hostname));
	strlcpy(prison0.pr_path, "/", sizeof(prison0.pr_path));
	root_cred.cr_uidinfo = root_cred.cr_ruidinfo = &root_uid;
	kernel_space.vm_pmap.pm_cr3 = ht_boot.kernel_root;
	kernel_space.vm_pmap.pm_ucr3 = PMAP_NO_CR3;
	strlcpy(proc0.p_comm, "kernel", sizeof(proc0.p_comm));
	proc0.p_flag = P_SYSTEM | P_KPROC;
	proc0.p_ucred = &root_cred;
	proc0.p_vmspace = &kernel_space;
	proc0.p_magic = P_MAGIC;
	TAILQ_INIT(&proc0.p_threads);
	ht_kernel_first.td.td_ucred = &root_cred;
	ht_kernel_first.td.td_tid = atomic_fetchadd_int(&next_tid, 1);
	ht_kernel_first.td.td_kstack = ht_boot.stack;
	ht_kernel_first.td.td_kstack_pages = ht_boot.stack_pages;
	strlcpy(ht_kernel_first.td.td_name, "kernel", sizeof(ht_kernel_first.td.td_name));
}

struct proc *
ht_proc_new(const char *name, struct proc *parent, struct ucred *cred)
{
	struct proc *p = malloc(sizeof(*p), M_STANDIN, M_WAITOK | M_ZERO);

	p->p_pid = atomic_fetchadd_int(&next_pid, 1) + 1;
	p->p_pptr = parent;
	p->p_oppid = parent->p_pid;
	p->p_ucred = cred;
	p->p_flag = P_SYSTEM | P_KPROC;
	p->p_vmspace = &kernel_space;
	p->p_magic = P_MAGIC;
	p->p_state = PRS_NORMAL;
	strlcpy(p->p_comm, name, sizeof(p->p_comm));
	TAILQ_INIT(&p->p_threads);
	mtx_init(&p->p_mtx, "process lock", NULL, MTX_DEF);
	ht_spin_lock(&procs_lock);
	LIST_INSERT_HEAD(&procs, p, p_list);
	ht_spin_unlock(&procs_lock);
	return (p);
}

/* A process, locked, unless it is gone. */
struct proc *
pfind(pid_t pid)
{
	struct proc *p;

	ht_spin_lock(&procs_lock);
	LIST_FOREACH(p, &procs, p_list)
		if (p->p_pid == pid)
			break;
	ht_spin_unlock(&procs_lock);
	if (p != NULL)
		PROC_LOCK(p);
	return (p);
}

/* Signals are counted, for tests; nobody dies of one here. */
static volatile u_int signals[NSIG];

void
kern_psignal(struct proc *p, int signal)
{
	if (!mtx_owned(&p->p_mtx))
		panic("kern_psignal without the process's lock");
	atomic_add_int(&signals[signal], 1);
}

uint64_t ht_signals(uint64_t);

uint64_t
ht_signals(uint64_t signal)
{
	return (signal < NSIG ? signals[signal] : 0);
}

struct thread *
ht_spawn(struct proc *p, const char *name, void (*function)(void *), void *arg)
{
	struct ht_thread *ht = malloc(sizeof(*ht), M_STANDIN, M_WAITOK | M_ZERO);
	struct thread *td = &ht->td;
	size_t size = STACK_PAGES * PAGE_SIZE;
	void *stack = malloc_aligned(size, PAGE_SIZE, M_STANDIN, M_WAITOK | M_ZERO);

	ht->bound = -1;
	td->td_proc = p;
	td->td_ucred = p->p_ucred;
	td->td_tid = atomic_fetchadd_int(&next_tid, 1);
	td->td_kstack = (vm_offset_t)stack;
	td->td_kstack_pages = STACK_PAGES;
	td->td_oncpu = td->td_lastcpu = NOCPU;
	strlcpy(td->td_name, name, sizeof(td->td_name));
	TAILQ_INSERT_TAIL(&p->p_threads, td, td_plist);
	p->p_numthreads++;
	if (ht_host_thread(ht_thread_enter, function, arg, td, &ht->saved, stack, size) != 0)
		ht_host_abort("no thread");
	return (td);
}

static int
add(void (*function)(void *), void *arg, struct proc *p, struct thread **tdp, const char *name)
{
	struct thread *td = ht_spawn(p, name, function, arg);

	if (tdp != NULL)
		*tdp = td;
	return (0);
}

int
kthread_add(void (*function)(void *), void *arg, struct proc *p, struct thread **tdp,
    int flags __unused, int pages __unused, const char *format, ...)
{
	char name[MAXCOMLEN + 1];
	va_list list;

	va_start(list, format);
	vsnprintf(name, sizeof(name), format, list);
	va_end(list);
	return (add(function, arg, p != NULL ? p : &proc0, tdp, name));
}

int
kproc_create(void (*function)(void *), void *arg, struct proc **pp, int flags __unused,
    int pages __unused, const char *format, ...)
{
	char name[MAXCOMLEN + 1];
	va_list list;
	struct proc *p;

	va_start(list, format);
	vsnprintf(name, sizeof(name), format, list);
	va_end(list);
	p = ht_proc_new(name, &proc0, proc0.p_ucred);
	if (pp != NULL)
		*pp = p;
	return (add(function, arg, p, NULL, name));
}

int
kproc_kthread_add(void (*function)(void *), void *arg, struct proc **pp, struct thread **tdp,
    int flags __unused, int pages __unused, const char *name, const char *format, ...)
{
	char thread[MAXCOMLEN + 1];
	va_list list;

	va_start(list, format);
	vsnprintf(thread, sizeof(thread), format, list);
	va_end(list);
	if (*pp == NULL)
		*pp = ht_proc_new(name, &proc0, proc0.p_ucred);
	return (add(function, arg, *pp, tdp, thread));
}

/* Whoever waits for the thread is woken by its last deed, as in kern_kthread.c. */
void
kthread_exit(void)
{
	struct ht_thread *ht = (struct ht_thread *)curthread;

	wakeup(curthread);
	ht_thread_leave(ht->saved);
}

void
kproc_exit(int code __unused)
{
	struct ht_thread *ht = (struct ht_thread *)curthread;

	ht_spin_lock(&procs_lock);
	LIST_REMOVE(curproc, p_list);
	ht_spin_unlock(&procs_lock);
	wakeup(curproc);
	ht_thread_leave(ht->saved);
}

/* Sleeping. */

static void
may_sleep(const char *what)
{
	struct thread *td = curthread;

	if (td->td_critnest != 0 || td->td_intr_nesting_level != 0)
		panic("%s in a critical section or an interrupt", what);
	if (ht_host_interrupts(1) == 0)
		panic("%s with interrupts off", what);
}

/* Nanoseconds until `sbt`, -1 for ever. */
static int64_t
until(sbintime_t sbt, int flags)
{
	if (sbt == 0)
		return (-1);
	if ((flags & C_ABSOLUTE) != 0)
		sbt = MAX(0, sbt - sbinuptime());
	return (sbttons(sbt));
}

int
_sleep(const void *chan, struct lock_object *lock, int priority, const char *message __unused,
    sbintime_t sbt, sbintime_t precision __unused, int flags)
{
	struct sleeper me = { .chan = chan }, **place;
	struct lock_class *class = lock != NULL ? LOCK_CLASS(lock) : NULL;
	uintptr_t state = 0;
	int64_t time = until(sbt, flags);
	int late;

	may_sleep("sleep");
	ht_spin_lock(&sleepers_lock);
	me.next = sleepers;
	sleepers = &me;
	ht_spin_unlock(&sleepers_lock);
	if (lock != NULL)
		state = class->lc_unlock(lock);
	do {
		late = ht_host_wait(&me.woken, 0, time, ht_bound());
	} while (me.woken == 0 && !late);
	ht_spin_lock(&sleepers_lock);
	for (place = &sleepers; *place != &me; place = &(*place)->next)
		;
	*place = me.next;
	late = me.woken == 0;
	ht_spin_unlock(&sleepers_lock);
	if (lock != NULL && (priority & PDROP) == 0)
		class->lc_lock(lock, state);
	return (late ? EWOULDBLOCK : 0);
}

int
msleep_spin_sbt(const void *chan, struct mtx *mtx, const char *message, sbintime_t sbt,
    sbintime_t precision, int flags)
{
	int error;

	mtx_unlock_spin(mtx);
	error = _sleep(chan, NULL, 0, message, sbt, precision, flags);
	mtx_lock_spin(mtx);
	return (error);
}

int
pause_sbt(const char *message, sbintime_t sbt, sbintime_t precision, int flags)
{
	static int channel;

	return (_sleep(&channel, NULL, 0, message, MAX(sbt, 1), precision, flags & ~C_ABSOLUTE));
}

static void
wake(const void *chan, int most)
{
	struct sleeper *s;

	ht_spin_lock(&sleepers_lock);
	for (s = sleepers; s != NULL && most > 0; s = s->next) {
		if (s->chan != chan || s->woken != 0)
			continue;
		s->woken = 1;
		ht_host_wake(&s->woken, 1);
		most--;
	}
	ht_spin_unlock(&sleepers_lock);
}

void
wakeup(const void *chan)
{
	wake(chan, INT_MAX);
}

void
wakeup_one(const void *chan)
{
	wake(chan, 1);
}

/* Scheduling. */

void
sched_bind(struct thread *td, int cpu)
{
	((struct ht_thread *)td)->bound = cpu;
	if (td == curthread && (int)curcpu != cpu)
		ht_host_yield(cpu);
}

void
sched_unbind(struct thread *td)
{
	((struct ht_thread *)td)->bound = -1;
}

int
sched_is_bound(struct thread *td)
{
	return (((struct ht_thread *)td)->bound >= 0);
}

void
kern_yield(int priority __unused)
{
	ht_host_yield(ht_bound());
}

void
sched_prio(struct thread *td, u_char priority)
{
	td->td_priority = priority;
}

void
getcredhostname(struct ucred *cred, char *buffer, size_t size)
{
	strlcpy(buffer, cred->cr_prison->pr_hostname, size);
}

struct ucred *
crhold(struct ucred *cred)
{
	return (cred);
}
