/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's side of SDT and systrace (kern_sdt.c, sdt_machdep.c, subr_syscall.c), and code with
 * probes in it for tests to run: a process `worker` in a jail makes system calls that read a file
 * which does not exist, through a few functions.
 */
#include "host.h"

#include <sys/jail.h>
#include <sys/kthread.h>
#include <sys/linker.h>
#include <sys/lockstat.h>
#include <sys/proc.h>
#include <sys/resourcevar.h>
#include <sys/sdt.h>
#include <sys/syscall.h>
#include <sys/sysent.h>
#include <sys/sysproto.h>
#include <sys/ucred.h>
#include <vm/vm.h>
#include <vm/pmap.h>
#include <vm/vm_map.h>
#include <machine/md_var.h>
#include <machine/segments.h>
#include <machine/specialreg.h>

volatile bool sdt_probes_enabled;
volatile bool lockstat_enabled;
systrace_probe_func_t systrace_probe_func;
bool systrace_enabled;

SDT_PROVIDER_DEFINE(proc);
SDT_PROVIDER_DEFINE(io);
SDT_PROVIDER_DEFINE(vfs);
SDT_PROVIDER_DEFINE(nap);
SDT_PROBE_DEFINE1(nap, , , start, "int");
SDT_PROBE_DEFINE1(nap, , , done, "int");
SDT_PROBE_DEFINE1(proc, , , exec, "char *");
SDT_PROBE_DEFINE1(proc, , , exit, "int");
SDT_PROBE_DEFINE3(io, , , start, "int", "size_t", "char *");
SDT_PROBE_DEFINE0(io, , , never__fires);
SDT_PROBE_DEFINE6(vfs, standin, lookup, done, "int", "char *", "int", "int", "int", "int");

#if __FreeBSD_version >= 1500000
void
sdt_probe_stub(uint32_t id __unused, uintptr_t arg0 __unused, uintptr_t arg1 __unused,
    uintptr_t arg2 __unused, uintptr_t arg3 __unused, uintptr_t arg4 __unused,
    uintptr_t arg5 __unused)
{
	panic("sdt_probe_stub is called: a site fires that nobody has");
}

sdt_probe_func_t sdt_probe_func = sdt_probe_stub;

void
sdt_probe(uint32_t id, uintptr_t arg0, uintptr_t arg1, uintptr_t arg2, uintptr_t arg3,
    uintptr_t arg4)
{
	sdt_probe_func(id, arg0, arg1, arg2, arg3, arg4, 0);
}

void
sdt_probe6(uint32_t id, uintptr_t arg0, uintptr_t arg1, uintptr_t arg2, uintptr_t arg3,
    uintptr_t arg4, uintptr_t arg5)
{
	sdt_probe_func(id, arg0, arg1, arg2, arg3, arg4, arg5);
}

bool
sdt_tracepoint_valid(uintptr_t patchpoint, uintptr_t target)
{
	int64_t distance = (int64_t)target - (int64_t)(patchpoint + 5);

	return (patchpoint != target && distance == (int32_t)distance);
}

static void
poke(uintptr_t at, const u_char *bytes)
{
	bool wp = disable_wp();

	memcpy((void *)at, bytes, 5);
	restore_wp(wp);
}

void
sdt_tracepoint_patch(uintptr_t patchpoint, uintptr_t target)
{
	int32_t distance = target - (patchpoint + 5);
	u_char jump[5] = { 0xe9 };

	if (*(u_char *)patchpoint != 0x66)
		panic("%#lx is patched twice", patchpoint);
	memcpy(jump + 1, &distance, sizeof(distance));
	poke(patchpoint, jump);
}

void
sdt_tracepoint_restore(uintptr_t patchpoint)
{
	static const u_char nop[5] = { 0x66, 0x0f, 0x1f, 0x04, 0x00 };

	poke(patchpoint, nop);
}
#else
void
sdt_probe_stub(uint32_t id __unused, uintptr_t arg0 __unused, uintptr_t arg1 __unused,
    uintptr_t arg2 __unused, uintptr_t arg3 __unused, uintptr_t arg4 __unused)
{
	panic("sdt_probe_stub is called: a site fires that nobody has");
}

sdt_probe_func_t sdt_probe_func = sdt_probe_stub;
#endif

bool
disable_wp(void)
{
	u_long value = rcr0();

	load_cr0(value & ~CR0_WP);
	return ((value & CR0_WP) != 0);
}

void
restore_wp(bool wp)
{
	if (wp)
		load_cr0(rcr0() | CR0_WP);
}

/* Code to trace. */

MALLOC_DEFINE(M_WORK, "work", "what tests run");

static struct prison web = { .pr_id = 3, .pr_name = "web", .pr_hostname = "web.example" };
static struct uidinfo www_uid;
static struct ucred www = {
	.cr_prison = &web, .cr_uid = 80, .cr_ruid = 80, .cr_rgid = 81,
	.cr_uidinfo = &www_uid, .cr_ruidinfo = &www_uid,
};
static struct vmspace user_space;
static volatile u_int running;
static volatile uint64_t done;

int standin_lookup(const char *, int);
int standin_read(int, char *, size_t);
uint64_t standin_tail(uint64_t);
void standin_leaf(void);
uint64_t ht_work(uint64_t, uint64_t);
uint64_t ht_work_vanishing(uint64_t);
uint64_t ht_work_naps(uint64_t, uint64_t);
uint64_t ht_work_abi(uint64_t, uint64_t);
uint64_t ht_work_done(void);
uint64_t ht_busy(uint64_t);

__noinline int
standin_lookup(const char *path, int flags)
{
	int error = flags == 7 ? 0 : ENOENT;

	SDT_PROBE6(vfs, standin, lookup, done, error, path, flags, 3, 4, 5);
	return (error);
}

__noinline int
standin_read(int fd, char *path, size_t len)
{
	int error;

	SDT_PROBE3(io, , , start, fd, len, path);
	error = standin_lookup(path, fd);
	return (error != 0 ? -error : (int)len);
}

/* Its argument and its result are numbers that tests can add up. */
__noinline uint64_t
standin_tail(uint64_t n)
{
	__asm __volatile("");
	return (n * 3 + 1);
}

__noinline void
standin_leaf(void)
{
	__asm __volatile("");
}

/* What types are for: the harness describes this struct and these functions in CTF. */
struct standin_item {
	int			number;
	char			text[12];
	struct standin_item	*next;
};
CTASSERT(offsetof(struct standin_item, text) == 4 && offsetof(struct standin_item, next) == 16);

int standin_items_taken = 40;
int standin_item_take(struct standin_item *, int);

__noinline int
standin_item_take(struct standin_item *item, int times)
{
	standin_items_taken += times;
	return (item->number * times);
}

static void
take_items(int times)
{
	struct standin_item second = { 2, "second", NULL }, first = { 1, "first", &second };

	standin_item_take(&first, times);
}

/* Names that an ifunc resolves: one before its function in the symbol table, one behind it. */
uint64_t standin_first(uint64_t);
uint64_t standin_first_plain(uint64_t);
uint64_t standin_second(uint64_t);

static __used void *
choose_first(void)
{
	return (standin_first_plain);
}

uint64_t standin_first(uint64_t n) __attribute__((ifunc("choose_first")));

/* Longer than what chooses it. */
__noinline uint64_t
standin_first_plain(uint64_t n)
{
	__asm __volatile("nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop");
	return (n * 5 + 2);
}

static __noinline uint64_t
standin_second_plain(uint64_t n)
{
	__asm __volatile("");
	return (n * 7 + 3);
}

static __used void *
choose_second(void)
{
	return (standin_second_plain);
}

uint64_t standin_second(uint64_t n) __attribute__((ifunc("choose_second")));

static __noinline int
sys_standin_read(struct thread *td, void *uap)
{
	register_t *args = uap;
	int result = standin_read((int)args[0], (char *)args[1], args[2]);

	if (result < 0)
		return (-result);
	td->td_retval[0] = result;
	return (0);
}

int
nosys(struct thread *td __unused, struct nosys_args *uap __unused)
{
	return (ENOSYS);
}

/* read, at its own number; everything else is not there. */
int
lkmnosys(struct thread *td __unused, struct nosys_args *uap __unused)
{
	return (ENOSYS);
}

CTASSERT(SYS_read == 3);
struct sysent sysent[SYS_MAXSYSCALL] = {
	[0 ... 2] = { .sy_call = (sy_call_t *)nosys },
	[3] = { .sy_call = sys_standin_read, .sy_narg = 3 },
	[4 ... SYS_MAXSYSCALL - 1] = { .sy_call = (sy_call_t *)nosys },
};
const char *syscallnames[SYS_MAXSYSCALL] = {
	[0 ... 2] = "#nosys",
	[3] = "read",
	[4 ... SYS_MAXSYSCALL - 1] = "#nosys",
};
struct sysentvec elf64_freebsd_sysvec = {
	.sv_size = SYS_MAXSYSCALL,
	.sv_table = sysent,
	.sv_syscallnames = syscallnames,
	.sv_name = "FreeBSD ELF64",
};

/* A call that only processes of 32 bits make here. */
static struct sysent freebsd32_sysent[] = {
	[0] = { .sy_call = (sy_call_t *)nosys },
	[1] = { .sy_call = sys_standin_read, .sy_narg = 3 },
};
static const char *freebsd32_syscallnames[] = { "#nosys", "freebsd32_read" };
struct sysentvec ia32_freebsd_sysvec = {
	.sv_size = nitems(freebsd32_sysent),
	.sv_table = freebsd32_sysent,
	.sv_syscallnames = freebsd32_syscallnames,
	.sv_name = "FreeBSD ELF32",
	.sv_flags = SV_ABI_FREEBSD | SV_ILP32,
};

/* syscallenter and syscallret, as far as DTrace is in them. */
static __noinline int
syscall_(struct thread *td, u_int code, register_t a, register_t b, register_t c)
{
	struct syscall_args *sa = &td->td_sa;
	int error;

	memset(sa, 0, sizeof(*sa));
	sa->code = code;
	sa->callp = &td->td_proc->p_sysent->sv_table[code];
	sa->args[0] = a;
	sa->args[1] = b;
	sa->args[2] = c;
	td->td_errno = 0;
	td->td_retval[0] = 0;
	if (__predict_false(SYSTRACE_ENABLED() && sa->callp->sy_entry != 0))
		(*systrace_probe_func)(sa, SYSTRACE_ENTRY, 0);
	error = sa->callp->sy_call(td, sa->args);
	td->td_errno = error;
	if (__predict_false(SYSTRACE_ENABLED() && sa->callp->sy_return != 0))
		(*systrace_probe_func)(sa, SYSTRACE_RETURN, error != 0 ? -1 : td->td_retval[0]);
	return (error);
}

/* What a process was doing when it entered the kernel. */
static void
enter_user(struct thread *td, struct trapframe *frame)
{
	memset(frame, 0, sizeof(*frame));
	frame->tf_rip = ht_boot.user_address + 0x100;
	frame->tf_rsp = frame->tf_rbp = ht_boot.user_address + 0x800;
	frame->tf_cs = 0x43;
	td->td_frame = frame;
}

struct job {
	uint64_t	rounds;
	bool		vanish;
	uint64_t	naps;		/* milliseconds asleep, and as many awake */
	u_int		call;		/* of its ABI */
	struct proc	*p;
};

static void
nap(uint64_t milliseconds)
{
	SDT_PROBE1(nap, , , start, 0);
	pause_sbt("nap", milliseconds * SBT_1MS, 0, 0);
	SDT_PROBE1(nap, , , done, 0);
	SDT_PROBE1(nap, , , start, 1);
	DELAY(milliseconds * 1000);
	SDT_PROBE1(nap, , , done, 1);
}

static void
worker(void *arg)
{
	struct job *job = arg;
	struct trapframe frame;
	bool vanish = job->vanish;
	uint64_t n;

	enter_user(curthread, &frame);
	SDT_PROBE1(proc, , , exec, curproc->p_comm);
	for (n = 0; n < job->rounds; n++) {
		syscall_(curthread, job->call, n % 8, ht_boot.user_address, 100 + n);
		standin_tail(n);
		standin_leaf();
		standin_first_plain(n);
		standin_second_plain(n);
		take_items(n);
		if (job->naps != 0)
			nap(job->naps);
		atomic_add_64(&done, 1);
	}
	SDT_PROBE1(proc, , , exit, (int)n);
	free(job, M_WORK);
	atomic_subtract_rel_int(&running, 1);
	wakeup(__DEVOLATILE(void *, &running));
	if (vanish)
		kthread_exit();
	kproc_exit(0);
}

/* A process that works as the job says, by calls of that ABI. */
static void
begin_as(const struct job *as, struct sysentvec *abi)
{
	struct job *job = malloc(sizeof(*job), M_WORK, M_WAITOK | M_ZERO);
	struct proc *p = ht_proc_new("worker", &proc0, &www);

	if (user_space.vm_pmap.pm_cr3 == 0) {
		user_space.vm_pmap.pm_cr3 = ht_boot.user_root;
		user_space.vm_pmap.pm_ucr3 = PMAP_NO_CR3;
		memcpy((void *)ht_boot.user_page, "/etc/nothing", 13);
	}
	p->p_flag = 0;
	p->p_vmspace = &user_space;
	p->p_sysent = abi;
	*job = *as;
	job->p = p;
	atomic_add_int(&running, 1);
	ht_spawn(p, "worker", worker, job);
}

static void
begin(uint64_t rounds, bool vanish)
{
	struct job job = { .rounds = rounds, .vanish = vanish, .call = SYS_read };

	begin_as(&job, &elf64_freebsd_sysvec);
}

static void
wait_for_all(void)
{
	while (atomic_load_acq_int(&running) != 0)
		tsleep(__DEVOLATILE(void *, &running), 0, "work", hz / 100);
}

/* So many processes that work so often; returns when all have ended. */
uint64_t
ht_work(uint64_t processes, uint64_t rounds)
{
	while (processes-- > 0)
		begin(rounds, false);
	wait_for_all();
	return (done);
}

/* One process that sleeps and then is busy for so long, so often. */
uint64_t
ht_work_naps(uint64_t rounds, uint64_t milliseconds)
{
	struct job job = { .rounds = rounds, .naps = milliseconds, .call = SYS_read };

	begin_as(&job, &elf64_freebsd_sysvec);
	wait_for_all();
	return (done);
}

/* An ABI of Linux's processes, by its flags. */
struct linux_abi {
	u_long			flags;
	struct sysentvec	*found;
};

static int
find_linux(linker_file_t file, void *arg)
{
	struct linux_abi *abi = arg;
	struct sysentvec *vector =
	    (struct sysentvec *)linker_file_lookup_symbol(file, "elf_linux_sysvec", 0);

	if (vector == NULL || (vector->sv_flags & (SV_LP64 | SV_ILP32)) != abi->flags)
		return (0);
	abi->found = vector;
	return (1);
}

/*
 * One process of another ABI: of 32 bits (`linux` is 0), or what a module brings for Linux's of so
 * many bits.
 */
uint64_t
ht_work_abi(uint64_t rounds, uint64_t linux)
{
	struct job job = { .rounds = rounds, .call = 1 };
	struct linux_abi abi = { .flags = linux == 32 ? SV_ILP32 : SV_LP64 };

	if (linux == 0)
		abi.found = &ia32_freebsd_sysvec;
	else if (linker_file_foreach(find_linux, &abi) == 0)
		return (0);
	begin_as(&job, abi.found);
	wait_for_all();
	return (done);
}

/* Processes that begin and end all the time: threads are gone as soon as they were seen. */
uint64_t
ht_work_vanishing(uint64_t processes)
{
	while (processes-- > 0)
		begin(1, true);
	wait_for_all();
	return (done);
}

/* So many processes that work until the kernel ends; returns at once. */
uint64_t
ht_busy(uint64_t processes)
{
	while (processes-- > 0)
		begin(UINT64_MAX, false);
	return (0);
}

uint64_t
ht_work_done(void)
{
	return (done);
}
