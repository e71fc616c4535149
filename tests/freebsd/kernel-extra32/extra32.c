/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls of Linux's processes of 32 bits, as the module linux has them; it comes and goes. */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/module.h>
#include <sys/proc.h>
#include <sys/sysent.h>

static int
linux_getppid(struct thread *td, void *uap __unused)
{
	td->td_retval[0] = td->td_proc->p_pid + 1;
	return (0);
}

static struct sysent linux_sysent[] = {
	[0] = { .sy_call = linux_getppid },
	[1] = { .sy_call = linux_getppid, .sy_narg = 1 },
};
static const char *linux_syscallnames[] = { "linux_none", "linux_getppid" };
struct sysentvec elf_linux_sysvec = {
	.sv_size = nitems(linux_sysent),
	.sv_table = linux_sysent,
	.sv_syscallnames = linux_syscallnames,
	.sv_name = "Linux ELF32",
	.sv_flags = SV_ABI_LINUX | SV_ILP32,
};

static int
load(module_t module __unused, int what, void *arg __unused)
{
	return (what == MOD_LOAD || what == MOD_UNLOAD ? 0 : EOPNOTSUPP);
}

static moduledata_t data = { "extra32", load, NULL };
DECLARE_MODULE(extra32, data, SI_SUB_DRIVERS, SI_ORDER_ANY);
MODULE_VERSION(extra32, 1);
