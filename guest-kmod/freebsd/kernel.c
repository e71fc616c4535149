/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked of the kernel by name at load, because a kernel may be built without it
 * (KDTRACE_HOOKS): the hooks that DTrace's own providers use. What is missing is said once, with
 * what cannot be traced then, and the rest goes on.
 */
#include "hypertrace.h"

#include <sys/lockstat.h>

struct ht_kernel ht_kernel;

void *
ht_lookup(linker_file_t file, const char *name)
{
	return (linker_file_lookup_symbol(file, name, 0));
}

static void
find(const char *name, void *place, const char *without)
{
	void *found = ht_lookup(linker_kernel_file, name);

	*(void **)place = found;
	if (found == NULL)
		ht_say("this kernel has no %s: %s", name, without);
}

/* The place's type has to be that of the kernel's header: a wrong name does not compile. */
#define	FIND(name, without) do {					\
	_Static_assert(__builtin_types_compatible_p(			\
	    __typeof(ht_kernel.name), __typeof(&name)), "another type");	\
	find(#name, &ht_kernel.name, without);				\
} while (0)

void
ht_kernel_init(void)
{
	FIND(sdt_probe_func, "no static probes");
	FIND(sdt_probe_stub, "no static probes");
	FIND(sdt_probes_enabled, "no static probes");
	FIND(lockstat_enabled, "no lockstat probes");
	FIND(systrace_probe_func, "no system calls");
	FIND(systrace_enabled, "no system calls");
	FIND(dtrace_trap_func, "no functions (fbt)");
#if __FreeBSD_version >= 1500000
	FIND(sdt_tracepoint_valid, "no static probes");
	FIND(sdt_tracepoint_patch, "no static probes");
	FIND(sdt_tracepoint_restore, "no static probes");
#endif
}
