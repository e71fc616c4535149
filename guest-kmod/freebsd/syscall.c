/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Provider syscall: entry and return of every system call, of native processes and of those of other
 * ABIs that the kernel or a module of it runs (32-bit, Linux); a probe's module says of which.
 *
 * The kernel asks, before and after a call, whether the call's table entry has a DTrace id, and if
 * so calls one hook with the call. We set the id to a mark and find our own by the entry's place.
 *
 * Names are the kernel's; types of native calls come from the same description of the calls as its
 * prototypes, sys/sysproto.h, at build time (syscall_types.awk).
 */
#include "hypertrace.h"

#include <sys/errno.h>
#include <sys/syscall.h>
#include <sys/sysent.h>

#include "hypertrace_syscalls.h"

/* What a table entry has while it is traced: any number but 0 does. */
#define	MARK	1

/* An ABI's calls. */
struct abi {
	const char	*module;
	linker_file_t	file;		/* NULL once it is gone */
	struct sysent	*table;
	const char	**names;
	const char	*const *types;	/* NULL: not known */
	uint32_t	count;
	uint32_t	*ids;		/* two a call, entry and return; 0 where there is no call */
};

/* Four there are; one whose module goes leaves its place, for the hook may be reading it. */
#define	ABIS	16

static struct abi abis[ABIS];
static uint32_t nabis;
static uint32_t nenabled;
static bool hooked;

/* Where a table entry stands; beyond the count if it is another table's. */
static uint32_t
number_of(const struct abi *abi, const struct sysent *call)
{
	uintptr_t offset = (uintptr_t)call - (uintptr_t)abi->table;

	return (MIN(offset / sizeof(*call), UINT32_MAX));
}

/* The id of a call's probe, 0 if it has none. */
static uint32_t
id_of(const struct sysent *call, enum systrace_probe_t which)
{
	uint32_t i, number;

	for (i = 0; i < HT_READ(nabis); i++) {
		number = number_of(&abis[i], call);
		if (number < HT_READ(abis[i].count))
			return (abis[i].ids[2 * number + (which == SYSTRACE_RETURN)]);
	}
	return (0);
}

/*
 * The result as the process sees it: -1 and an error, or a value. What the hook is given is -1 for
 * every error, or the value cut to 32 bits; so the value is read where it comes from.
 */
static uint64_t
result(const struct thread *td, int given, int32_t *error)
{
	if (given != -1 || td->td_errno == 0)
		return (td->td_retval[0]);
	/* A call that has set the registers itself, as execve does, was successful. */
	if (td->td_errno == EJUSTRETURN)
		return (0);
	*error = td->td_errno == ERESTART ? EINTR : td->td_errno;
	return ((uint64_t)-1);
}

/* The hook. */
static void
on_syscall(struct syscall_args *sa, enum systrace_probe_t which, int given)
{
	const uintptr_t *frame = __builtin_frame_address(0);
	uint64_t args[nitems(sa->args)];
	struct ht_event event;
	uint32_t i;

	ht_event_init(&event, args, frame);
	event.id = id_of(sa->callp, which);
	if (which == SYSTRACE_ENTRY) {
		event.nargs = MIN(sa->callp->sy_narg, nitems(args));
		for (i = 0; i < event.nargs; i++)
			args[i] = sa->args[i];
	} else {
		event.nargs = 2;
		args[0] = args[1] = result(curthread, given, &event.error);
	}
	ht_fire(&event);
}

static void
publish(const struct abi *abi, uint32_t number)
{
	const struct sysent *call = &abi->table[number];
	struct ht_description d = {
		.kind = HT_PROBE_KIND_SYSCALL_ENTRY,
		.nargs = call->sy_narg,
		.index = (uint32_t)(abi - abis) << 16 | number,
		.address = (uintptr_t)call->sy_call,
		.provider = "syscall",
		.module = abi->module,
		.function = abi->names[number],
		.name = "entry",
		.args = abi->types != NULL ? abi->types[number] : NULL,
	};

	abi->ids[2 * number] = ht_probe_add(&d);
	d.kind = HT_PROBE_KIND_SYSCALL_RETURN;
	d.nargs = 2;
	d.name = "return";
	d.args = "long, long";
	abi->ids[2 * number + 1] = ht_probe_add(&d);
}

/* Announces a table's calls. Places that wait for a module's call have no name of their own. */
static void
publish_all(const struct abi *from)
{
	struct abi *abi = &abis[nabis];
	uint32_t number, ids = from->count * 2;

	if (ht_kernel.systrace_probe_func == NULL || ht_kernel.systrace_enabled == NULL)
		return;
	if (nabis == ABIS) {
		ht_say("no room for the system calls of %s: its module came and went too often",
		    from->module);
		return;
	}
	*abi = *from;
	abi->ids = malloc(ids * sizeof(*abi->ids), M_HYPERTRACE, M_WAITOK | M_ZERO);
	for (number = 0; number < abi->count; number++)
		if (abi->table[number].sy_call != (sy_call_t *)nosys &&
		    abi->table[number].sy_call != (sy_call_t *)lkmnosys)
			publish(abi, number);
	atomic_thread_fence_rel();
	HT_WRITE(nabis, nabis + 1);
}

/* An ABI as its processes are told to the kernel. */
static void
publish_vector(linker_file_t file, const struct sysentvec *vector)
{
	bool narrow, linux;
	struct abi abi = { .file = file };

	if (vector == NULL || vector->sv_table == NULL || vector->sv_syscallnames == NULL)
		return;
	narrow = (vector->sv_flags & SV_ILP32) != 0;
	linux = (vector->sv_flags & SV_ABI_MASK) == SV_ABI_LINUX;
	abi.module = linux ? (narrow ? "linux32" : "linux") : "freebsd32";
	abi.table = vector->sv_table;
	abi.names = vector->sv_syscallnames;
	abi.count = MIN(vector->sv_size, UINT16_MAX);
	publish_all(&abi);
}

/* Called while the file cannot go. */
void
ht_syscall_publish(linker_file_t file)
{
	struct abi native = {
		.module = "freebsd",
		.file = file,
		.table = sysent,
		.names = syscallnames,
		.types = ht_syscall_types,
		.count = SYS_MAXSYSCALL,
	};

	if (file == linker_kernel_file)
		publish_all(&native);
	publish_vector(file, ht_lookup(file, "ia32_freebsd_sysvec"));
	publish_vector(file, ht_lookup(file, "elf_linux_sysvec"));
}

/* Takes the hook with the first probe; EBUSY if it is somebody else's. */
static int
take_hook(void)
{
	if (!hooked && *ht_kernel.systrace_probe_func != NULL)
		return (EBUSY);
	*ht_kernel.systrace_probe_func = on_syscall;
	hooked = true;
	if (nenabled++ == 0) {
		atomic_thread_fence_rel();
		*ht_kernel.systrace_enabled = true;
	}
	return (0);
}

/* The hook itself stays: it is called without another look by those that have seen a mark. */
static void
let_hook_go(void)
{
	if (--nenabled == 0)
		*ht_kernel.systrace_enabled = false;
}

void
ht_syscall_unhook(void)
{
	if (hooked)
		*ht_kernel.systrace_probe_func = NULL;
	hooked = false;
}

int
ht_syscall_set(uint32_t index, uint8_t kind, bool on)
{
	struct sysent *call = &abis[index >> 16].table[index & UINT16_MAX];
	uint32_t *mark = kind == HT_PROBE_KIND_SYSCALL_ENTRY ? &call->sy_entry : &call->sy_return;
	int error;

	if (on) {
		error = take_hook();
		if (error == 0)
			HT_WRITE(*mark, MARK);
		return (error);
	}
	HT_WRITE(*mark, 0);
	let_hook_go();
	return (0);
}

/* Before a file goes: its ABI's calls are restored and announced as gone. */
void
ht_syscall_forget(linker_file_t file)
{
	uint32_t i, id;

	for (i = 0; i < nabis; i++) {
		if (abis[i].file != file)
			continue;
		for (id = 0; id < 2 * abis[i].count; id++)
			ht_probe_gone(abis[i].ids[id]);
		abis[i].file = NULL;
		HT_WRITE(abis[i].count, 0);
	}
}

/* Forgets all. No CPU is inside the hook any more. */
void
ht_syscall_exit(void)
{
	while (nabis > 0)
		free(abis[--nabis].ids, M_HYPERTRACE);
}
