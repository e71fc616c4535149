// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Provider syscall: entry and return of every system call, from the two tracepoints all of them
 * pass. The tracepoints are registered while at least one probe of their side is enabled.
 *
 * Names, numbers of arguments and their types are the kernel's own metadata for its event
 * tracing; a kernel without that still has the names, from its table's symbols.
 */
#include <linux/kallsyms.h>
#include <linux/nospec.h>
#include <linux/syscalls.h>
#include <linux/vmalloc.h>
#include <trace/syscall.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "hypertrace.h"

#define CALLS NR_syscalls

/* Ids by system call number; 0 where there is no call of this number. */
static u32 entries[CALLS], returns[CALLS];

static bool number_of(long nr, struct pt_regs *regs, u32 *number)
{
	/* Numbers of 32-bit calls mean other calls. */
	if (in_ia32_syscall() || nr < 0 || nr >= CALLS)
		return false;
	*number = array_index_nospec(nr, CALLS);
	return true;
}

static void on_enter(void *data, struct pt_regs *regs, long nr);
static void on_exit(void *data, struct pt_regs *regs, long ret);

static struct ht_trace enter = { .probe = on_enter };
static struct ht_trace leave = { .probe = on_exit };

static void on_enter(void *data, struct pt_regs *regs, long nr)
{
	u64 args[6] = { regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9 };
	struct ht_event event = {
		.args = args,
		.nargs = ARRAY_SIZE(args),
		.skip = (unsigned long)enter.tp->iterator,
		.skip_size = enter.skip_size,
		.stack = HT_STACK_CALLER,
	};
	u32 number;

	if (!number_of(nr, regs, &number))
		return;
	event.id = entries[number];
	ht_fire(&event);
}

static void on_exit(void *data, struct pt_regs *regs, long ret)
{
	u64 args[2] = { ret, ret };
	struct ht_event event = {
		.args = args,
		.nargs = ARRAY_SIZE(args),
		.skip = (unsigned long)leave.tp->iterator,
		.skip_size = leave.skip_size,
		.stack = HT_STACK_CALLER,
		.errno_ = ret < 0 && ret >= -MAX_ERRNO ? -ret : 0,
	};
	u32 number;

	if (!number_of(syscall_get_nr(current, regs), regs, &number))
		return;
	event.id = returns[number];
	ht_fire(&event);
}

/* `__x64_sys_newstat` and `sys_newstat` are what a user knows as stat. */
static const char *short_name(const char *name)
{
	static const char *const prefixes[] = { "__x64_", "sys_" };
	int i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			name += strlen(prefixes[i]);
	if (!strcmp(name, "newstat") || !strcmp(name, "newfstat") || !strcmp(name, "newlstat") ||
	    !strcmp(name, "newuname") || !strcmp(name, "newfstatat"))
		name += strlen("new");
	return name;
}

/* The types of a call's arguments, comma separated. */
static void join_types(char *out, size_t size, const struct syscall_metadata *meta)
{
	int i;

	out[0] = 0;
	for (i = 0; meta && i < meta->nb_args; i++) {
		if (i)
			strlcat(out, ", ", size);
		strlcat(out, meta->types[i], size);
	}
}

static void publish(u32 number, const char *name, unsigned long addr,
		    const struct syscall_metadata *meta)
{
	static char types[256];
	struct ht_description d = {
		.kind = HT_PROBE_KIND_SYSCALL_ENTRY,
		.nargs = meta ? meta->nb_args : 6,
		.index = number,
		.address = addr,
		.provider = "syscall",
		.module = "vmlinux",
		.function = name,
		.name = "entry",
		.args = types,
	};

	join_types(types, sizeof(types), meta);
	entries[number] = ht_probe_add(&d);
	d.kind = HT_PROBE_KIND_SYSCALL_RETURN;
	d.nargs = 2;
	d.name = "return";
	d.args = "long, long";
	returns[number] = ht_probe_add(&d);
}

int ht_syscall_publish(void)
{
	unsigned long *table = (void *)ht_lookup("sys_call_table");
	struct syscall_metadata ***place = (void *)ht_lookup("syscalls_metadata");
	struct syscall_metadata **metas = place ? *place : NULL;
	unsigned long none = ht_lookup("__x64_sys_ni_syscall");
	u32 number;

	enter.tp = ht_tracepoint("sys_enter");
	leave.tp = ht_tracepoint("sys_exit");
	memset(entries, 0, sizeof(entries));
	memset(returns, 0, sizeof(returns));
	if (!table || !enter.tp || !leave.tp) {
		pr_info("hypertrace: this kernel does not show its system calls\n");
		return 0;
	}
	for (number = 0; number < CALLS; number++) {
		const struct syscall_metadata *meta = metas ? metas[number] : NULL;
		char symbol[KSYM_SYMBOL_LEN];
		const char *name = meta ? meta->name : symbol;

		if (table[number] == none)
			continue;
		sprint_symbol_no_offset(symbol, table[number]);
		publish(number, short_name(name), table[number], meta);
	}
	return 0;
}

int ht_syscall_set(u32 id, bool on)
{
	struct ht_trace *trace = ht_probe(id)->kind == HT_PROBE_KIND_SYSCALL_ENTRY ? &enter : &leave;

	if (on)
		return ht_trace_get(trace);
	ht_trace_put(trace);
	return 0;
}

void ht_syscall_exit(void)
{
	while (enter.users)
		ht_trace_put(&enter);
	while (leave.users)
		ht_trace_put(&leave);
	tracepoint_synchronize_unregister();
}
