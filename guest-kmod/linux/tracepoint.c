// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Tracepoints: registering probe functions of any provider, and provider sdt, which makes every
 * tracepoint of the kernel and its modules a probe with the tracepoint's raw arguments.
 *
 * How many arguments a tracepoint has is taken from the table the kernel keeps for BPF programs.
 * The arguments come as the kernel passes them: those narrower than 64 bits may carry anything
 * above their width, which the host cuts off where it knows the type.
 */
#include <linux/vmalloc.h>

#include "hypertrace.h"

#define SDTS 16384
#define MOST_ARGS 12

struct sdt {
	struct ht_trace trace;
	u32 id;
	u32 nargs;
	struct module *mod;
};

static struct sdt *sdts;
static u32 nsdts;

int ht_trace_get(struct ht_trace *trace)
{
	int error = 0;

	if (!trace->tp)
		return -ENOENT;
	if (!trace->users) {
		trace->skip_size = ht_symbol_size((unsigned long)trace->tp->iterator);
		error = tracepoint_probe_register(trace->tp, trace->probe, trace->data);
	}
	if (!error)
		trace->users++;
	return error;
}

void ht_trace_put(struct ht_trace *trace)
{
	if (trace->users && --trace->users == 0)
		tracepoint_probe_unregister(trace->tp, trace->probe, trace->data);
}

struct wanted {
	const char *name;
	struct tracepoint *found;
};

static void match(struct tracepoint *tp, void *data)
{
	struct wanted *wanted = data;

	if (!strcmp(tp->name, wanted->name))
		wanted->found = tp;
}

/* A tracepoint of the kernel itself, NULL if it has none of that name. */
struct tracepoint *ht_tracepoint(const char *name)
{
	struct wanted wanted = { name, NULL };

	for_each_kernel_tracepoint(match, &wanted);
	return wanted.found;
}

/* ---- probe functions, by number of arguments --------------------------------------------- */

static void fire(const struct sdt *sdt, const u64 *args)
{
	struct ht_event event = {
		.id = sdt->id,
		.args = args,
		.nargs = min_t(u32, sdt->nargs, HT_ARGS),
		.skip = (unsigned long)sdt->trace.tp->iterator,
		.skip_size = sdt->trace.skip_size,
		.stack = HT_STACK_CALLER,
	};

	ht_fire(&event);
}

#define P0
#define P1 P0, u64 a0
#define P2 P1, u64 a1
#define P3 P2, u64 a2
#define P4 P3, u64 a3
#define P5 P4, u64 a4
#define P6 P5, u64 a5
#define P7 P6, u64 a6
#define P8 P7, u64 a7
#define P9 P8, u64 a8
#define P10 P9, u64 a9
#define P11 P10, u64 a10
#define P12 P11, u64 a11
#define A0 0
#define A1 a0
#define A2 A1, a1
#define A3 A2, a2
#define A4 A3, a3
#define A5 A4, a4
#define A6 A5, a5
#define A7 A6, a6
#define A8 A7, a7
#define A9 A8, a8
#define A10 A9, a9
#define A11 A10, a10
#define A12 A11, a11

#define DEFINE_PROBE(n)                                       \
	static void probe##n(void *data P##n)                 \
	{                                                     \
		const u64 args[] = { A##n };                  \
		fire(data, args);                             \
	}

DEFINE_PROBE(0)
DEFINE_PROBE(1)
DEFINE_PROBE(2)
DEFINE_PROBE(3)
DEFINE_PROBE(4)
DEFINE_PROBE(5)
DEFINE_PROBE(6)
DEFINE_PROBE(7)
DEFINE_PROBE(8)
DEFINE_PROBE(9)
DEFINE_PROBE(10)
DEFINE_PROBE(11)
DEFINE_PROBE(12)

static void *const probe_functions[MOST_ARGS + 1] = {
	probe0, probe1, probe2, probe3, probe4, probe5, probe6,
	probe7, probe8, probe9, probe10, probe11, probe12,
};

/* ---- the table -------------------------------------------------------------------------- */

int ht_sdt_init(void)
{
	nsdts = 0;
	sdts = vzalloc(SDTS * sizeof(*sdts));
	return sdts ? 0 : -ENOMEM;
}

static void add(struct tracepoint *tp, u32 nargs, struct module *mod)
{
	struct ht_description d = {
		.kind = HT_PROBE_KIND_SDT,
		.nargs = nargs,
		.index = nsdts,
		.provider = "sdt",
		.module = mod ? mod->name : "vmlinux",
		.function = "",
		.name = tp->name,
	};
	struct sdt *sdt = &sdts[nsdts];

	if (nsdts == SDTS || nargs > MOST_ARGS)
		return;
	sdt->trace.tp = tp;
	sdt->trace.probe = probe_functions[nargs];
	sdt->trace.data = sdt;
	sdt->nargs = nargs;
	sdt->mod = mod;
	sdt->id = ht_probe_add(&d);
	if (sdt->id)
		nsdts++;
}

/* The kernel's tracepoints. */
int ht_sdt_publish(void)
{
	struct bpf_raw_event_map *map = (void *)ht_lookup("__start__bpf_raw_tp");
	struct bpf_raw_event_map *end = (void *)ht_lookup("__stop__bpf_raw_tp");

	if (!map || !end) {
		pr_info("hypertrace: this kernel has no table of tracepoint arguments; no sdt probes\n");
		return 0;
	}
	for (; map < end; map++)
		add(map->tp, map->num_args, NULL);
	return 0;
}

void ht_sdt_publish_module(struct module *mod)
{
#ifdef CONFIG_BPF_EVENTS
	unsigned int i;

	for (i = 0; i < mod->num_bpf_raw_events; i++)
		add(mod->bpf_raw_events[i].tp, mod->bpf_raw_events[i].num_args, mod);
#endif
}

void ht_sdt_module_gone(struct module *mod)
{
	bool waited = false;
	u32 i;

	for (i = 0; i < nsdts; i++) {
		struct sdt *sdt = &sdts[i];

		if (sdt->mod != mod)
			continue;
		while (sdt->trace.users) {
			ht_trace_put(&sdt->trace);
			waited = true;
		}
		sdt->mod = NULL;
		ht_probe_remove(sdt->id, 1);
	}
	if (waited)
		tracepoint_synchronize_unregister();
}

int ht_sdt_set(u32 index, bool on)
{
	struct sdt *sdt = &sdts[index];

	if (!on) {
		ht_trace_put(&sdt->trace);
		return 0;
	}
	return ht_trace_get(&sdt->trace);
}

void ht_sdt_exit(void)
{
	u32 i;

	for (i = 0; i < nsdts; i++)
		while (sdts[i].trace.users)
			ht_trace_put(&sdts[i].trace);
	tracepoint_synchronize_unregister();
	vfree(sdts);
	sdts = NULL;
	nsdts = 0;
}
