/* SPDX-License-Identifier: BSD-2-Clause */
/* A module that comes and goes while the guest is traced: a probe, and functions to trace. */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/module.h>
#include <sys/sdt.h>

SDT_PROVIDER_DEFINE(extra);
SDT_PROBE_DEFINE1(extra, , , loaded, "int");

int extra_function(int);

__noinline int
extra_function(int n)
{
	SDT_PROBE1(extra, , , loaded, n);
	return (n + 1);
}

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
