/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Provider syscall: entry and return of every native system call.
 *
 * The kernel asks, before and after a call, whether the call's table entry has a DTrace id, and if
 * so calls one hook with the call. We set the id to a mark and find our own by the call's number.
 * Calls of other ABIs (32-bit, Linux) have tables of their own, which are left alone.
 *
 * Names are the kernel's; types come from the same description of the calls as its prototypes,
 * sys/sysproto.h, at build time (syscall_types.awk).
 */
#include "hypertrace.h"

#include <sys/errno.h>
#include <sys/syscall.h>
#include <sys/sysent.h>

#include "hypertrace_syscalls.h"

/* What a table entry has while it is traced: any number but 0 does. */
#define	MARK	1

/* Ids by number; 0 where there is no call of this number. */
static uint32_t entries[SYS_MAXSYSCALL], returns[SYS_MAXSYSCALL];
static uint32_t nenabled;
static bool hooked;

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

	if (sa->code >= SYS_MAXSYSCALL || sa->callp != &sysent[sa->code])
		return;
	ht_event_init(&event, args, frame);
	if (which == SYSTRACE_ENTRY) {
		event.id = entries[sa->code];
		event.nargs = MIN(sa->callp->sy_narg, nitems(args));
		for (i = 0; i < event.nargs; i++)
			args[i] = sa->args[i];
	} else {
		event.id = returns[sa->code];
		event.nargs = 2;
		args[0] = args[1] = result(curthread, given, &event.error);
	}
	ht_fire(&event);
}

static void
publish(uint32_t number, const char *types)
{
	struct ht_description d = {
		.kind = HT_PROBE_KIND_SYSCALL_ENTRY,
		.nargs = sysent[number].sy_narg,
		.index = number,
		.address = (uintptr_t)sysent[number].sy_call,
		.provider = "syscall",
		.module = "freebsd",
		.function = syscallnames[number],
		.name = "entry",
		.args = types,
	};

	entries[number] = ht_probe_add(&d);
	d.kind = HT_PROBE_KIND_SYSCALL_RETURN;
	d.nargs = 2;
	d.name = "return";
	d.args = "long, long";
	returns[number] = ht_probe_add(&d);
}

void
ht_syscall_publish(void)
{
	uint32_t number;

	memset(entries, 0, sizeof(entries));
	memset(returns, 0, sizeof(returns));
	if (ht_kernel.systrace_probe_func == NULL || ht_kernel.systrace_enabled == NULL)
		return;
	for (number = 0; number < SYS_MAXSYSCALL; number++)
		if (sysent[number].sy_call != (sy_call_t *)nosys &&
		    sysent[number].sy_call != (sy_call_t *)lkmnosys)
			publish(number, ht_syscall_types[number]);
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
ht_syscall_set(uint32_t number, uint8_t kind, bool on)
{
	uint32_t *mark = kind == HT_PROBE_KIND_SYSCALL_ENTRY ? &sysent[number].sy_entry :
	    &sysent[number].sy_return;
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
