/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's static probes: every provider that is made of SDT(9), as proc, sched, io, vfs, ip,
 * tcp, udp, lockstat, mac, by what this kernel and its modules have.
 *
 * Each file has its probes and their arguments' types in linker sets. A probe fires if its id is
 * not 0, through the one hook that the kernel has for it:
 *
 *   14: site: sdt_probes_enabled? probe->id? ──▶ (*sdt_probe_func)(id, arg0, …)
 *   15: site: 5 bytes of nop, patched to a jump ──▶ sdt_probe(id, …) ──▶ (*sdt_probe_func)(id, …)
 *
 * The hook and the ids belong to whoever set them first. DTrace's own sdt provider cannot be loaded
 * beside us (main.c claims its interface), so they are ours.
 */
#include "hypertrace.h"

#define	IN_REGISTERS	5u
#define	MOST_ARGS	7u

/* The places of a file's probes, to be patched when one is enabled. */
struct set {
	void		*start;
	void		*stop;
};

struct site {
	struct sdt_probe *probe;
	linker_file_t	file;	/* NULL once it is gone */
	struct set	tracepoints;
	uint32_t	id;
	uint32_t	nargs;
};

static struct ht_chunks sites = { .size = sizeof(struct site) };
static uint32_t nenabled, nlockstat;
static bool hooked;

/* sdt_probe and sdt_probe6 of 15.0, which stand between a site and our hook. */
static struct range {
	uintptr_t	start;
	size_t		size;
} between[2];

void
ht_sdt_function(const char *name, uintptr_t addr, size_t size)
{
	int which;

	if (strcmp(name, "sdt_probe") == 0)
		which = 0;
	else if (strcmp(name, "sdt_probe6") == 0)
		which = 1;
	else
		return;
	between[which].start = addr;
	between[which].size = size;
}

static bool
is_between(uintptr_t addr)
{
	return (addr - between[0].start < between[0].size ||
	    addr - between[1].start < between[1].size);
}

static struct site *
site_of(uint32_t index)
{
	return (ht_chunks_at(&sites, index));
}

/*
 * The hook. Most sites pass five arguments, in registers. A sixth, and of 14.x a seventh, lies above
 * the return address, in a place that is ours to touch only if the probe has it: so they are no
 * parameters.
 */
static void
on_probe(uint32_t id, uintptr_t arg0, uintptr_t arg1, uintptr_t arg2, uintptr_t arg3,
    uintptr_t arg4)
{
	uint64_t args[MOST_ARGS] = { arg0, arg1, arg2, arg3, arg4 };
	const uintptr_t *frame = __builtin_frame_address(0);
	struct ht_probe *probe = ht_probe(id);
	struct ht_event event;
	uint32_t i, nargs;

	if (probe == NULL || probe->kind != HT_PROBE_KIND_SDT)
		return;
	nargs = MIN(site_of(probe->index)->nargs, MOST_ARGS);
	for (i = IN_REGISTERS; i < nargs; i++)
		args[i] = frame[2 + i - IN_REGISTERS];
	if (is_between(frame[1]))
		frame = (const uintptr_t *)frame[0];
	ht_event_init(&event, args, frame);
	event.id = id;
	/* Those in registers are always passed, 0 where the probe has fewer. */
	event.nargs = MAX(nargs, IN_REGISTERS);
	ht_fire(&event);
}

/* Publishing. */

static bool
find_set(linker_file_t file, const char *name, struct set *set)
{
	return (linker_file_lookup_set(file, name, &set->start, &set->stop, NULL) == 0);
}

static void
append(char *to, size_t size, const char *text)
{
	size_t len = strlen(to);

	strlcpy(to + len, text, size - len);
}

static const struct sdt_argtype *
find_type(const struct set *types, const struct sdt_probe *probe, int number)
{
	struct sdt_argtype **at;

	for (at = types->start; at < (struct sdt_argtype **)types->stop; at++)
		if ((*at)->probe == probe && (*at)->ndx == number)
			return (*at);
	return (NULL);
}

/* Joins the types of a probe's arguments to a text and returns how many there are. */
static uint32_t
join_types(const struct set *types, const struct sdt_probe *probe, char *text, size_t size)
{
	const struct sdt_argtype *type;
	uint32_t n;

	text[0] = '\0';
	for (n = 0; n < HT_ARGS && (type = find_type(types, probe, n)) != NULL; n++) {
		if (n != 0)
			append(text, size, ", ");
		append(text, size, type->type);
		if (type->xtype != NULL) {
			append(text, size, " > ");
			append(text, size, type->xtype);
		}
	}
	return (n);
}

/* In C a name has `__` where D has `-`. */
static void
d_name(const char *from, char *to, size_t size)
{
	while (*from != '\0' && size-- > 1) {
		bool dash = from[0] == '_' && from[1] == '_';

		*to++ = dash ? '-' : *from;
		from += dash ? 2 : 1;
	}
	*to = '\0';
}

/* The sets of one file. */
struct file_sets {
	struct set	probes;
	struct set	types;
	struct set	tracepoints;
};

static void
publish(linker_file_t file, const char *module, struct sdt_probe *probe,
    const struct file_sets *sets)
{
	char text[HT_MAX_TYPES + 1], name[HT_MAX_NAME + 1];
	struct site *site = ht_chunks_next(&sites);
	struct ht_description d = {
		.kind = HT_PROBE_KIND_SDT,
		.index = sites.count,
		.provider = probe->prov->name,
		.module = probe->mod[0] != '\0' ? probe->mod : module,
		.function = probe->func[0] != '\0' ? probe->func : "none",
		.name = name,
		.args = text,
	};

	/* A structure of another size is another structure. */
	if (site == NULL || probe->version != sizeof(*probe))
		return;
	d_name(probe->name, name, sizeof(name));
	d.nargs = site->nargs = join_types(&sets->types, probe, text, sizeof(text));
	site->probe = probe;
	site->file = file;
	site->tracepoints = sets->tracepoints;
	site->id = ht_probe_add(&d);
	if (site->id != 0)
		ht_chunks_take(&sites);
}

void
ht_sdt_publish(linker_file_t file, const char *module)
{
	struct file_sets sets = { 0 };
	struct sdt_probe **at;

	if (ht_kernel.sdt_probe_func == NULL || !find_set(file, "sdt_probes_set", &sets.probes))
		return;
	find_set(file, "sdt_argtypes_set", &sets.types);
	find_set(file, "sdt_tracepoint_set", &sets.tracepoints);
	for (at = sets.probes.start; at < (struct sdt_probe **)sets.probes.stop; at++)
		publish(file, module, *at, &sets);
}

/* Instrumenting. */

#if __FreeBSD_version >= 1500000
/* One probe's sites to patch or restore, by the one CPU that leads while the others wait. */
struct patch {
	struct sdt_tracepoint *start, *stop;
	const struct sdt_probe *probe;
	u_int		cpu;
	bool		on;
};

static void
patch_here(void *arg)
{
	const struct patch *patch = arg;
	struct sdt_tracepoint *at;

	if (patch->cpu != curcpu)
		return;
	for (at = patch->start; at < patch->stop; at++) {
		if (at->probe != patch->probe ||
		    !ht_kernel.sdt_tracepoint_valid(at->patchpoint, at->target))
			continue;
		if (patch->on)
			ht_kernel.sdt_tracepoint_patch(at->patchpoint, at->target);
		else
			ht_kernel.sdt_tracepoint_restore(at->patchpoint);
	}
}

static void
patch_sites(const struct site *site, bool on)
{
	struct patch patch = {
		.start = site->tracepoints.start,
		.stop = site->tracepoints.stop,
		.probe = site->probe,
		.cpu = curcpu,
		.on = on,
	};

	smp_rendezvous(NULL, patch_here, NULL, &patch);
}

static bool
can_patch(void)
{
	return (ht_kernel.sdt_tracepoint_valid != NULL && ht_kernel.sdt_tracepoint_patch != NULL &&
	    ht_kernel.sdt_tracepoint_restore != NULL);
}
#else
static void
patch_sites(const struct site *site __unused, bool on __unused)
{
}

static bool
can_patch(void)
{
	return (true);
}
#endif

/* Takes the hook with the first probe; EBUSY if it is somebody else's. */
static int
take_hook(void)
{
	if (ht_kernel.sdt_probe_stub == NULL || ht_kernel.sdt_probes_enabled == NULL ||
	    !can_patch())
		return (ENOENT);
	if (!hooked && *ht_kernel.sdt_probe_func != ht_kernel.sdt_probe_stub)
		return (EBUSY);
	*ht_kernel.sdt_probe_func = (sdt_probe_func_t)(uintptr_t)on_probe;
	hooked = true;
	if (nenabled++ == 0) {
		atomic_thread_fence_rel();
		*ht_kernel.sdt_probes_enabled = true;
	}
	return (0);
}

/* The hook itself stays, for those that have looked at their probe's id already. */
static void
let_hook_go(void)
{
	if (--nenabled == 0)
		*ht_kernel.sdt_probes_enabled = false;
}

void
ht_sdt_unhook(void)
{
	if (hooked)
		*ht_kernel.sdt_probe_func = ht_kernel.sdt_probe_stub;
	hooked = false;
}

/* Locks look at a word of their own before their probes' ids. */
static void
count_lockstat(const struct site *site, bool on)
{
	if (ht_kernel.lockstat_enabled == NULL || strcmp(site->probe->prov->name, "lockstat") != 0)
		return;
	nlockstat += on ? 1 : -1;
	*ht_kernel.lockstat_enabled = nlockstat != 0;
}

int
ht_sdt_set(uint32_t index, bool on)
{
	struct site *site = site_of(index);
	int error;

	if (site->file == NULL)
		return (ENOENT);
	if (on) {
		error = take_hook();
		if (error != 0)
			return (error);
		site->probe->id = site->id;
		count_lockstat(site, true);
		patch_sites(site, true);
		return (0);
	}
	patch_sites(site, false);
	count_lockstat(site, false);
	site->probe->id = 0;
	let_hook_go();
	return (0);
}

/* Before a file goes: what is enabled in it is restored. */
void
ht_sdt_forget(linker_file_t file)
{
	uint32_t i;

	for (i = 0; i < sites.count; i++) {
		struct site *site = site_of(i);

		if (site->file != file)
			continue;
		ht_probe_gone(site->id);
		site->file = NULL;
	}
}

/* Forgets all. No CPU is inside the hook any more. */
void
ht_sdt_exit(void)
{
	ht_chunks_free(&sites);
}
