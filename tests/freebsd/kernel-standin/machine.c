/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs: their struct pcpu, the vectors that exceptions and interrupts enter by, and boot.
 *
 * A vector does what exception.S does for an exception of the kernel's own: it saves a struct
 * trapframe, has the handler called, and returns by iretq. For #BP the handler is DTrace's, if its
 * hook is set.
 */
#include "host.h"

#include <sys/dtrace_bsd.h>
#include <sys/jail.h>
#include <sys/sched.h>
#include <sys/ucred.h>
#include <vm/vm.h>
#include <vm/pmap.h>
#include <vm/vm_map.h>
#include <machine/md_var.h>
#include <machine/pcb.h>
#include <machine/trap.h>

/* What kern/, x86/ and amd64/ define and others read. */
static struct pcpu cpus[8] __aligned(PAGE_SIZE);
struct pcpu *__pcpu = cpus;
struct pcpu *cpuid_to_pcpu[MAXCPU];
struct cpuhead cpuhead = STAILQ_HEAD_INITIALIZER(cpuhead);
int mp_ncpus = 1, mp_ncores = 1;
u_int mp_maxid;
cpuset_t all_cpus;
volatile int smp_started = 1;
int smp_cpus = 1, smp_disabled;
int hz = 1000, tick = 1000;
volatile int ticks;
sbintime_t tick_sbt;
u_int hv_base, hv_high;
char hv_vendor[16];
uint64_t tsc_freq;
int la57;
int cold;
int vm_guest;
volatile time_t time_second, time_uptime;
struct pmap kernel_pmap_store;
const char osrelease[] = "STANDIN-RELEASE";
const char ostype[] = "FreeBSD";
const char version[] = "FreeBSD STANDIN-RELEASE a stand-in kernel\n";
char btext[1] __attribute__((section(".text.a_first")));
const int osreldate = __FreeBSD_version;
const char *panicstr;

dtrace_trap_func_t dtrace_trap_func;
dtrace_doubletrap_func_t dtrace_doubletrap_func;
dtrace_pid_probe_ptr_t dtrace_pid_probe_ptr;
dtrace_return_probe_ptr_t dtrace_return_probe_ptr;
dtrace_vtime_switch_func_t dtrace_vtime_switch_func;
int dtrace_vtime_active;
void *dtrace_invop_jump_addr;
void *dtrace_invop_calltrap_addr;

struct ht_boot ht_boot;

#define	AT(field, offset) CTASSERT(offsetof(struct trapframe, field) == offset)
AT(tf_rdi, 0x00);
AT(tf_rax, 0x30);
AT(tf_rbx, 0x38);
AT(tf_rbp, 0x40);
AT(tf_r10, 0x48);
AT(tf_r15, 0x70);
AT(tf_trapno, 0x78);
AT(tf_addr, 0x80);
AT(tf_err, 0x90);
AT(tf_rip, 0x98);
AT(tf_rsp, 0xb0);
CTASSERT(sizeof(struct trapframe) == 0xc0);
CTASSERT(T_BPTFLT == 3 && T_PAGEFLT == 12);

#define	SAVE(trapno)							\
	"	subq	$0x98,%rsp\n"					\
	"	movl	$" trapno ",0x78(%rsp)\n"			\
	"	movq	$0,0x80(%rsp)\n	movl $0,0x88(%rsp)\n"		\
	"	movq	$0,0x90(%rsp)\n"				\
	"	movq	%rdi,0x00(%rsp)\n	movq %rsi,0x08(%rsp)\n"	\
	"	movq	%rdx,0x10(%rsp)\n	movq %rcx,0x18(%rsp)\n"	\
	"	movq	%r8,0x20(%rsp)\n	movq %r9,0x28(%rsp)\n"	\
	"	movq	%rax,0x30(%rsp)\n	movq %rbx,0x38(%rsp)\n"	\
	"	movq	%rbp,0x40(%rsp)\n	movq %r10,0x48(%rsp)\n"	\
	"	movq	%r11,0x50(%rsp)\n	movq %r12,0x58(%rsp)\n"	\
	"	movq	%r13,0x60(%rsp)\n	movq %r14,0x68(%rsp)\n"	\
	"	movq	%r15,0x70(%rsp)\n	cld\n"

#define	RESTORE								\
	"	movq	0x00(%rsp),%rdi\n	movq 0x08(%rsp),%rsi\n"	\
	"	movq	0x10(%rsp),%rdx\n	movq 0x18(%rsp),%rcx\n"	\
	"	movq	0x20(%rsp),%r8\n	movq 0x28(%rsp),%r9\n"	\
	"	movq	0x30(%rsp),%rax\n	movq 0x38(%rsp),%rbx\n"	\
	"	movq	0x40(%rsp),%rbp\n	movq 0x48(%rsp),%r10\n"	\
	"	movq	0x50(%rsp),%r11\n	movq 0x58(%rsp),%r12\n"	\
	"	movq	0x60(%rsp),%r13\n	movq 0x68(%rsp),%r14\n"	\
	"	movq	0x70(%rsp),%r15\n"				\
	"	addq	$0x98,%rsp\n	iretq\n"

__asm(
	"	.text\n"
	"	.globl	Xbpt, Xpage, Xtimerint\n"
	"	.type	Xbpt,@function\n"
	"	.type	Xpage,@function\n"
	"	.type	Xtimerint,@function\n"
	"Xbpt:\n" SAVE("3")
	/* calltrap, unless DTrace's hook wants it first. */
	"	cmpq	$0,dtrace_invop_jump_addr\n"
	"	je	calltrap\n"
	"	movq	$calltrap,dtrace_invop_calltrap_addr\n"
	"	jmpq	*dtrace_invop_jump_addr\n"
	"Xpage:\n" SAVE("12")
	"	movq	%cr2,%rax\n	movq %rax,0x80(%rsp)\n"
	"	.type	calltrap,@function\n"
	"calltrap:\n"
	"	movq	%rsp,%rdi\n	call trap_check\n"
	"	jmp	doreti\n"
	"Xtimerint:\n" SAVE("0")
	"	movq	%rsp,%rdi\n	call ht_timer\n"
	"doreti:\n" RESTORE
);

void trap(struct trapframe *);
void trap_check(struct trapframe *);
void ht_timer(struct trapframe *);
void ht_hardclock(int);

void
trap(struct trapframe *frame)
{
	char text[160];

	if (curthread->td_pcb != NULL && frame->tf_trapno == T_PAGEFLT &&
	    curthread->td_pcb->pcb_onfault != NULL) {
		frame->tf_rip = (register_t)curthread->td_pcb->pcb_onfault;
		return;
	}
	snprintf(text, sizeof(text), "trap %u at %#lx, address %#lx, thread %s", frame->tf_trapno,
	    frame->tf_rip, frame->tf_addr, curthread->td_name);
	ht_host_abort(text);
}

void
trap_check(struct trapframe *frame)
{
	if (dtrace_trap_func != NULL && (*dtrace_trap_func)(frame, frame->tf_trapno) != 0)
		return;
	trap(frame);
}

/* The work of an interrupt of the timer on this CPU. */
static void
interrupt(struct trapframe *frame)
{
	struct thread *td = curthread;
	struct trapframe *before = td->td_intr_frame;
	int cpu = curcpu;

	ht_host_tick(cpu, 1);
	td->td_intr_nesting_level++;
	td->td_critnest++;
	td->td_intr_frame = frame;
	ht_rendezvous_poll();
	ht_callout_tick(curcpu);
	td->td_intr_frame = before;
	td->td_critnest--;
	td->td_intr_nesting_level--;
	ht_host_tick(cpu, 0);
}

/* Threads that were preempted and have not run since, by the period in which that was. */
static struct {
	volatile u_int	period;
	volatile u_int	threads[2];
} preemption;

void
ht_timer(struct trapframe *frame)
{
	if (curcpu == 0)
		atomic_add_int((volatile u_int *)&ticks, 1);
	interrupt(frame);
	/* The end of the interrupt is where a thread is preempted. */
	if (curthread->td_critnest == 0 && curthread->td_intr_nesting_level == 0) {
		u_int period = atomic_load_acq_int(&preemption.period) & 1;

		atomic_add_int(&preemption.threads[period], 1);
		ht_host_interrupts(1);
		ht_host_yield(ht_bound());
		ht_host_interrupts(0);
		atomic_subtract_int(&preemption.threads[period], 1);
	}
}

/*
 * Every thread that was preempted has run since. The real one waits until each CPU was idle; here
 * those preempted are counted by period, and both periods are waited for.
 */
int
quiesce_all_cpus(const char *message, int priority __unused)
{
	int round;

	for (round = 0; round < 2; round++) {
		u_int before = atomic_fetchadd_int(&preemption.period, 1) & 1;

		while (atomic_load_acq_int(&preemption.threads[before]) != 0)
			pause_sbt(message, SBT_1MS, 0, 0);
	}
	return (0);
}

/* The same on a CPU where nothing runs but its idle thread, which was halted. */
void
ht_hardclock(int cpu)
{
	struct trapframe frame;

	memset(&frame, 0, sizeof(frame));
	if (cpu == 0)
		atomic_add_int((volatile u_int *)&ticks, 1);
	ht_host_interrupts(0);
	interrupt(&frame);
	ht_host_interrupts(1);
}

/* The CPU that the current thread must come back on, or -1. */
int
ht_bound(void)
{
	struct thread *td = curthread;
	struct ht_thread *ht = (struct ht_thread *)td;

	if (ht->bound >= 0)
		return (ht->bound);
	return (td->td_pinned > 0 || td->td_critnest > 0 ? (int)curcpu : -1);
}

/* cpu_switch: called on the thread that gets the CPU. */
struct pcpu *ht_kernel_switch(struct thread *, int);

struct pcpu *
ht_kernel_switch(struct thread *td, int cpu)
{
	struct pcpu *pc = &__pcpu[cpu];

	pc->pc_curthread = td;
	pc->pc_curpmap = &td->td_proc->p_vmspace->vm_pmap;
	pc->pc_curpcb = td->td_pcb;
	pc->pc_switchtime = rdtsc();
	td->td_oncpu = td->td_lastcpu = cpu;
	return (pc);
}

/* The other half: called on the thread that gives the CPU away. */
void ht_kernel_leave(struct thread *, int);

void
ht_kernel_leave(struct thread *td, int cpu)
{
	td->td_runtime += rdtsc() - __pcpu[cpu].pc_switchtime;
}

/* CR3 while a thread runs. */
uint64_t ht_kernel_root(struct thread *);

uint64_t
ht_kernel_root(struct thread *td)
{
	struct vmspace *space = td->td_proc->p_vmspace;

	return (space != NULL ? space->vm_pmap.pm_cr3 : ht_boot.kernel_root);
}

/* IPIs: every CPU comes here with its next interrupt, and waits for the others. */
static struct {
	volatile u_int	lock;
	volatile u_int	generation;
	volatile u_int	waiting, done, left;
	volatile u_int	seen[8];
	cpuset_t	set;
	u_int		count;
	void		(*setup)(void *), (*action)(void *), (*teardown)(void *);
	void		*arg;
} rendezvous;

static void
barrier(volatile u_int *word)
{
	atomic_add_acq_int(word, 1);
	while (atomic_load_acq_int(word) < rendezvous.count)
		cpu_spinwait();
}

/* Context: interrupts off. */
void
ht_rendezvous_poll(void)
{
	u_int generation = atomic_load_acq_int(&rendezvous.generation);

	if (rendezvous.seen[curcpu] == generation)
		return;
	rendezvous.seen[curcpu] = generation;
	if (!CPU_ISSET(curcpu, &rendezvous.set))
		return;
	if (rendezvous.setup != smp_no_rendezvous_barrier && rendezvous.setup != NULL)
		rendezvous.setup(rendezvous.arg);
	barrier(&rendezvous.waiting);
	if (rendezvous.action != NULL)
		rendezvous.action(rendezvous.arg);
	barrier(&rendezvous.done);
	if (rendezvous.teardown != smp_no_rendezvous_barrier && rendezvous.teardown != NULL)
		rendezvous.teardown(rendezvous.arg);
	atomic_add_rel_int(&rendezvous.left, 1);
}

void
smp_no_rendezvous_barrier(void *arg __unused)
{
}

void
smp_rendezvous_cpus(cpuset_t set, void (*setup)(void *), void (*action)(void *),
    void (*teardown)(void *), void *arg)
{
	critical_enter();
	while (atomic_cmpset_acq_int(&rendezvous.lock, 0, 1) == 0)
		cpu_spinwait();
	rendezvous.set = set;
	rendezvous.count = CPU_COUNT(&set);
	rendezvous.setup = setup;
	rendezvous.action = action;
	rendezvous.teardown = teardown;
	rendezvous.arg = arg;
	rendezvous.waiting = rendezvous.done = rendezvous.left = 0;
	ht_host_interrupts(0);
	atomic_add_rel_int(&rendezvous.generation, 1);
	ht_rendezvous_poll();
	ht_host_interrupts(1);
	/* All that are called have to be through before the words serve the next. */
	while (atomic_load_acq_int(&rendezvous.left) < rendezvous.count)
		cpu_spinwait();
	atomic_store_rel_int(&rendezvous.lock, 0);
	critical_exit();
}

void
smp_rendezvous(void (*setup)(void *), void (*action)(void *), void (*teardown)(void *), void *arg)
{
	smp_rendezvous_cpus(all_cpus, setup, action, teardown, arg);
}

struct pcpu *
pcpu_find(u_int cpu)
{
	return (cpuid_to_pcpu[cpu]);
}

vm_paddr_t
pmap_kextract(vm_offset_t va)
{
	return (va - ht_boot.base);
}

/* Where the process begins: the first thread runs `kernel_ready` on a stack of its own. */
void ht_kernel_boot(const struct ht_boot *);

void
ht_kernel_boot(const struct ht_boot *boot)
{
	int cpu;

	uint64_t before = rdtsc(), time = ht_host_now();

	ht_boot = *boot;
	DELAY(20000);
	tsc_freq = (rdtsc() - before) * 1000000000 / (ht_host_now() - time);
	mp_ncpus = mp_ncores = smp_cpus = boot->cpus;
	mp_maxid = boot->cpus - 1;
	tick_sbt = SBT_1S / hz;
	memcpy(hv_vendor, boot->vendor, sizeof(hv_vendor));
	hv_base = hv_high = 0x40000000;
	vm_guest = VM_GUEST_BHYVE;
	kernel_pmap_store.pm_cr3 = boot->kernel_root;
	kernel_pmap_store.pm_ucr3 = PMAP_NO_CR3;
	for (cpu = 0; cpu < boot->cpus; cpu++) {
		struct pcpu *pc = &__pcpu[cpu];

		pc->pc_cpuid = cpu;
		pc->pc_prvspace = pc;
		pc->pc_curpmap = &kernel_pmap_store;
		pc->pc_kcr3 = PMAP_NO_CR3;
		pc->pc_ucr3 = PMAP_NO_CR3;
		cpuid_to_pcpu[cpu] = pc;
		STAILQ_INSERT_TAIL(&cpuhead, pc, pc_allcpu);
		CPU_SET(cpu, &all_cpus);
	}
	ht_memory_init();
	ht_thread_init();
	ht_linker_init();
}

/* Starts what a kernel has running: idle threads, with their ticks, and the callouts' thread. */
void ht_kernel_start(void);

static void
idle(void *arg)
{
	ht_host_idle((int)(uintptr_t)arg, ht_hardclock);
}

void
ht_kernel_start(void)
{
	struct proc *p = ht_proc_new("idle", &proc0, proc0.p_ucred);
	uintptr_t cpu;

	for (cpu = 0; cpu < mp_ncpus; cpu++)
		cpuid_to_pcpu[cpu]->pc_idlethread = ht_spawn(p, "idle", idle, (void *)cpu);
	ht_callout_init();
}
