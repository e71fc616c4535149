/* SPDX-License-Identifier: BSD-2-Clause */
/* A module that comes and goes while the guest is traced: a probe, and functions to trace. */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/module.h>
#include <sys/sdt.h>
#include <sys/proc.h>
#include <sys/sysent.h>

SDT_PROVIDER_DEFINE(extra);
SDT_PROBE_DEFINE1(extra, , , loaded, "int");

int extra_function(int);

__noinline int
extra_function(int n)
{
	SDT_PROBE1(extra, , , loaded, n);
	return (n + 1);
}

/* Calls of Linux's processes, as the module linux64 has them. */
static int
linux_getpid(struct thread *td, void *uap __unused)
{
	td->td_retval[0] = td->td_proc->p_pid;
	return (0);
}

static struct sysent linux_sysent[] = {
	[0] = { .sy_call = linux_getpid },
	[1] = { .sy_call = linux_getpid, .sy_narg = 1 },
};
static const char *linux_syscallnames[] = { "linux_none", "linux_getpid" };
struct sysentvec elf_linux_sysvec = {
	.sv_size = nitems(linux_sysent),
	.sv_table = linux_sysent,
	.sv_syscallnames = linux_syscallnames,
	.sv_name = "Linux ELF64",
	.sv_flags = SV_ABI_LINUX | SV_LP64,
};

static int
load(module_t module __unused, int what, void *arg __unused)
{
	switch (what) {
	case MOD_LOAD:
	case MOD_UNLOAD:
		extra_function(what);
		return (0);
	default:
		return (EOPNOTSUPP);
	}
}

static moduledata_t data = { "extra", load, NULL };
DECLARE_MODULE(extra, data, SI_SUB_DRIVERS, SI_ORDER_ANY);
MODULE_VERSION(extra, 1);
