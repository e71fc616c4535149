// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Breakpoints that are not there any more.
 *
 * The kernel changes its text by way of a breakpoint that stands in an instruction's place for a
 * moment. QEMU before 8.1 may go on executing that breakpoint after the kernel has taken it away
 * (docs/decisions/stale-translations.md). The plugin notices and drops the translation, but the
 * trap has been taken by then. Kernels before 6.3 return to the instruction; newer ones find nobody
 * whose breakpoint it was, and die. This says that it was ours.
 */
#include <linux/kdebug.h>
#include <linux/notifier.h>

#include "hypertrace.h"

#define BREAKPOINT 0xcc

/* Context: a trap in any context of the kernel. */
static int on_trap(struct notifier_block *block, unsigned long reason, void *data)
{
	struct die_args *args = data;
	unsigned long at;

	if (reason != DIE_INT3 || !args->regs || user_mode(args->regs))
		return NOTIFY_DONE;
	at = args->regs->ip - 1;
	if (READ_ONCE(*(u8 *)at) == BREAKPOINT)
		return NOTIFY_DONE;
	args->regs->ip = at;
	return NOTIFY_STOP;
}

static struct notifier_block block = {
	.notifier_call = on_trap,
	.priority = INT_MAX,
};

int ht_trap_init(void)
{
	return register_die_notifier(&block);
}

void ht_trap_exit(void)
{
	unregister_die_notifier(&block);
}
