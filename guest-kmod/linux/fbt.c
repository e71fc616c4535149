// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Provider fbt: every function that ftrace can trace, entry and return.
 *
 * One ftrace_ops serves all probes: its filter is the set of functions that are wanted. What a
 * command changes is applied a few thousand functions at a time: each step is one pass over the
 * kernel's text in which nothing is scheduled on this CPU, so it must not take all at once, and ten
 * thousand probes must not take ten thousand passes. Returns are caught by replacing the return address with the kernel's own rethook
 * trampoline at entry, from one pool of nodes; an empty pool is a drop. kretprobes would do the
 * same, one registration (and one stop of all CPUs) a function.
 *
 *   call ──▶ ftrace ──▶ on_entry ──▶ fire entry, take a node ──▶ function ──▶ on_return ──▶ fire
 *
 * Other providers watch a function through the same hook (struct ht_watch).
 */
#include <linux/ftrace.h>
#include <linux/hash.h>
#include <linux/rcupdate.h>
#include <linux/rethook.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "hypertrace.h"

#define HASH_BITS 18
#define FUNCTIONS (1u << (HASH_BITS - 1))
#define NODES 8192
#define WATCHES 8
#define STEP 4096 /* functions that one pass over the text changes */

struct function {
	unsigned long ip;  /* as ftrace knows it */
	u32 entry;         /* id of the entry probe; the return probe's is one more */
	bool returns;
	bool applied; /* what the text says */
	struct ht_watch *watch;
};

static struct function *functions;
static u32 nfunctions;
static u32 *slots; /* open hash of function numbers + 1 by ip */
static bool dirty;
static u32 napplied;
static bool registered;
static struct ht_watch *watches[WATCHES];
static unsigned int nwatches;

/* Functions our own firing path calls, or may: the unwinder and what it asks about addresses; and
 * those by which ftrace changes the text, which would fire for each function that is changed. A
 * star stands for any ending. */
static const char *const never_names[] = {
	"__is_insn_slot_addr", "__kernel_text_address", "__module_address", "__module_text_address",
	"__orc_find", "__rcu_read_lock", "__rcu_read_unlock", "__text_poke*", "__unwind_start",
	"bpf_ksym_find", "do_sync_core", "get_stack_info", "in_gate_area_no_mm",
	"is_bpf_text_address", "is_module_text_address", "kernel_text_address", "mod_find",
	"orc_find", "poking_init", "rcu_read_unlock_special", "search_module_extables",
	"stack_access_ok", "text_poke*", "unwind_*",
};

/* Functions whose end runs as another task, or never. */
static const char *const never_return_names[] = { "__switch_to", "do_exit", "make_task_dead" };

/* Whether a list has a name, or that of which it is the compiler's clone (`name.part.0`). */
static bool listed(const char *name, const char *const *names, size_t count)
{
	while (count--) {
		size_t len = strlen(names[count]);

		if (names[count][len - 1] == '*' && !strncmp(name, names[count], len - 1))
			return true;
		if (!strncmp(name, names[count], len) && (!name[len] || name[len] == '.'))
			return true;
	}
	return false;
}

static u32 *slot_of(unsigned long ip)
{
	u32 at = hash_long(ip, HASH_BITS);

	while (slots[at] && functions[slots[at] - 1].ip != ip)
		at = (at + 1) & ((1u << HASH_BITS) - 1);
	return &slots[at];
}

static struct function *function_at(unsigned long ip)
{
	u32 number = READ_ONCE(*slot_of(ip));

	return number ? &functions[number - 1] : NULL;
}

/* ---- returns ---------------------------------------------------------------------------- */

#ifdef CONFIG_RETHOOK

/* A return that is awaited. The kernel's node comes first: the kernel frees it. */
struct awaited {
	struct rethook_node node;
	struct function *function;
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static struct rethook *(*k_alloc)(void *data, rethook_handler_t handler, int size, int num);
#else
static struct rethook *(*k_alloc)(void *data, rethook_handler_t handler);
static void (*k_add_node)(struct rethook *rh, struct rethook_node *node);
#endif
static struct rethook_node *(*k_try_get)(struct rethook *rh);
static void (*k_hook)(struct rethook_node *node, struct pt_regs *regs, bool mcount);
static void (*k_free)(struct rethook *rh);
static struct rethook *pool;

static void fire_return(struct function *function, struct pt_regs *regs)
{
	u64 args[2] = { 0, regs->ax };
	struct ht_event event = {
		.id = function->entry + 1,
		.args = args,
		.nargs = 2,
		.regs = regs,
		.ip = function->ip,
		.stack = HT_STACK_RETURN,
	};
	struct ht_watch *watch = READ_ONCE(function->watch);

	if (watch && READ_ONCE(watch->wanted) && watch->leave)
		watch->leave(regs, function->ip);
	ht_fire(&event);
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
static void on_return(struct rethook_node *node, void *data, unsigned long ret, struct pt_regs *regs)
#else
static void on_return(struct rethook_node *node, void *data, struct pt_regs *regs)
#endif
{
	fire_return(container_of(node, struct awaited, node)->function, regs);
}

static bool find_rethook(void)
{
	k_alloc = (void *)ht_lookup("rethook_alloc");
	k_try_get = (void *)ht_lookup("rethook_try_get");
	k_hook = (void *)ht_lookup("rethook_hook");
	k_free = (void *)ht_lookup("rethook_free");
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	k_add_node = (void *)ht_lookup("rethook_add_node");
	if (!k_add_node)
		return false;
#endif
	return k_alloc && k_try_get && k_hook && k_free;
}

/* Made when the first return is wanted, and kept. */
static int make_pool(void)
{
	struct rethook *made;

	if (pool)
		return 0;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	made = k_alloc(NULL, on_return, sizeof(struct awaited), NODES);
	if (IS_ERR(made))
		return PTR_ERR(made);
#else
	{
		int i;

		made = k_alloc(NULL, on_return);
		if (!made)
			return -ENOMEM;
		for (i = 0; i < NODES; i++) {
			struct awaited *node = kzalloc(sizeof(*node), GFP_KERNEL);

			if (!node) {
				k_free(made);
				return -ENOMEM;
			}
			k_add_node(made, &node->node);
		}
	}
#endif
	smp_store_release(&pool, made);
	return 0;
}

/* Nodes in flight come home later and are freed by the kernel; none calls us any more. */
static void free_pool(void)
{
	if (!pool)
		return;
	k_free(pool);
	synchronize_rcu();
	pool = NULL;
}

static void await_return(struct function *function, struct pt_regs *regs)
{
	struct rethook *from = smp_load_acquire(&pool);
	struct rethook_node *node = from ? k_try_get(from) : NULL;

	if (!node) {
		ht_drop();
		return;
	}
	container_of(node, struct awaited, node)->function = function;
	k_hook(node, regs, true);
}

#else

static bool find_rethook(void) { return false; }
static int make_pool(void) { return -EOPNOTSUPP; }
static void free_pool(void) { }
static void await_return(struct function *function, struct pt_regs *regs) { }

#endif

/* ---- entries ---------------------------------------------------------------------------- */

static bool enabled(u32 id)
{
	struct ht_probe *probe = id ? ht_probe(id) : NULL;

	return probe && READ_ONCE(probe->enabled);
}

static bool return_wanted(const struct function *function)
{
	const struct ht_watch *watch = READ_ONCE(function->watch);

	return (function->returns && enabled(function->entry + 1)) ||
	       (watch && watch->leave && READ_ONCE(watch->wanted));
}

/* Above the return address lie the arguments that are not in registers; or the end of the stack,
 * if the function has no such arguments and is the first on it. */
static void stack_args(const struct pt_regs *regs, u64 *args)
{
	unsigned long sp = regs->sp, base = (unsigned long)task_stack_page(current);
	unsigned long end = sp - base < THREAD_SIZE ? base + THREAD_SIZE : PAGE_ALIGN(sp + 1);
	int i;

	for (i = 6; i < HT_ARGS; i++) {
		unsigned long at = sp + (i - 5) * sizeof(long);

		args[i] = at < end ? READ_ONCE_NOCHECK(*(unsigned long *)at) : 0;
	}
}

static void on_entry(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
		     struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	struct function *function = function_at(ip);
	struct ht_watch *watch;

	if (!function || !regs)
		return;
	watch = READ_ONCE(function->watch);
	if (watch && READ_ONCE(watch->wanted) && watch->entry)
		watch->entry(regs);
	if (enabled(function->entry)) {
		u64 args[HT_ARGS] = { regs->di, regs->si, regs->dx, regs->cx, regs->r8, regs->r9 };
		struct ht_event event = {
			.id = function->entry,
			.args = args,
			.nargs = HT_ARGS,
			.regs = regs,
			.ip = ip,
			.stack = HT_STACK_REGS,
		};

		stack_args(regs, args);
		ht_fire(&event);
	}
	if (return_wanted(function))
		await_return(function, regs);
}

static struct ftrace_ops ops = {
	.func = on_entry,
	.flags = FTRACE_OPS_FL_SAVE_REGS,
};

/* ---- the table -------------------------------------------------------------------------- */

int ht_fbt_init(void)
{
	nfunctions = 0;
	napplied = 0;
	nwatches = 0;
	functions = vzalloc(FUNCTIONS * sizeof(*functions));
	slots = vzalloc((1u << HASH_BITS) * sizeof(*slots));
	return functions && slots ? 0 : -ENOMEM;
}

static u32 publish(const char *name, const char *module, unsigned long addr, u8 kind, u32 index)
{
	struct ht_description d = {
		.kind = kind,
		.nargs = kind == HT_PROBE_KIND_FBT_ENTRY ? HT_ARGS : 2,
		.index = index,
		.address = addr,
		.provider = "fbt",
		.module = module,
		.function = name,
		.name = kind == HT_PROBE_KIND_FBT_ENTRY ? "entry" : "return",
	};

	return ht_probe_add(&d);
}

/* Its module is gone; another may have its place by now. */
static bool dead(const struct function *function)
{
	return ht_probe(function->entry)->kind == HT_PROBE_KIND_OTHER;
}

/* Adds a function of the kernel (mod NULL) or a module, if ftrace can trace it. */
void ht_fbt_add(const char *name, struct module *mod, unsigned long addr)
{
	const char *module = mod ? mod->name : "vmlinux";
	unsigned long ip;
	struct function *function;
	u32 *slot, number, i;

	if (strlen(name) > HT_MAX_FUNCTION || listed(name, never_names, ARRAY_SIZE(never_names)))
		return;
	ip = ht_ftrace_location(addr);
	if (!ip)
		return;
	slot = slot_of(ip);
	if ((*slot && !dead(&functions[*slot - 1])) || nfunctions == FUNCTIONS)
		return;
	number = nfunctions;
	function = &functions[number];
	function->entry = publish(name, module, addr, HT_PROBE_KIND_FBT_ENTRY, number);
	if (!function->entry)
		return;
	if (find_rethook() && !listed(name, never_return_names, ARRAY_SIZE(never_return_names)))
		function->returns = publish(name, module, addr, HT_PROBE_KIND_FBT_RETURN, number) != 0;
	function->watch = NULL;
	for (i = 0; i < nwatches && !mod; i++)
		if (!strcmp(watches[i]->function, name))
			function->watch = watches[i];
	function->ip = ip;
	function->applied = false;
	nfunctions++;
	smp_store_release(slot, number + 1);
}

/* Ties a watch to a function by name; call before the functions are added. */
int ht_fbt_watch(struct ht_watch *watch)
{
	if (nwatches == WATCHES)
		return -ENOSPC;
	watch->wanted = false;
	watches[nwatches++] = watch;
	return 0;
}

/* ---- instrumenting ---------------------------------------------------------------------- */

void ht_fbt_dirty(void)
{
	dirty = true;
}

static bool entry_wanted(const struct function *function)
{
	const struct ht_watch *watch = function->watch;

	return enabled(function->entry) || (watch && watch->wanted) || return_wanted(function);
}

/* Whether the text must change for this function, and to what. */
static bool changes(const struct function *function, bool wanted)
{
	return function->applied != wanted && entry_wanted(function) == wanted;
}

/* The numbers of the functions that change to `wanted`; the caller frees them. */
static u32 *gather(bool wanted, u32 *count)
{
	u32 *numbers = vmalloc(max(nfunctions, 1u) * sizeof(*numbers));
	u32 i, n = 0;

	for (i = 0; numbers && i < nfunctions; i++)
		if (changes(&functions[i], wanted))
			numbers[n++] = i;
	*count = n;
	return numbers;
}

static int unregister(void)
{
	int error = registered ? unregister_ftrace_function(&ops) : 0;

	registered = false;
	return error;
}

/* Takes functions into the filter. Unregistered, the filter is made anew: an empty one would mean
 * every function. */
static int take(unsigned long *ips, u32 count)
{
	int error = ftrace_set_filter_ips(&ops, ips, count, 0, !registered);

	if (!error && !registered) {
		error = register_ftrace_function(&ops);
		registered = !error;
	}
	return error;
}

/* Takes functions out of the filter; with the last one's end the hook goes. */
static int let_go(unsigned long *ips, u32 count)
{
	return count == napplied ? unregister() : ftrace_set_filter_ips(&ops, ips, count, 1, 0);
}

/* Changes the text for all functions for which it must become `wanted`. */
static int change(bool wanted)
{
	unsigned long *ips = vmalloc(STEP * sizeof(*ips));
	u32 count, done, i, *numbers = gather(wanted, &count);
	int error = ips && numbers ? 0 : -ENOMEM;

	for (done = 0; !error && done < count; done += i) {
		u32 step = min_t(u32, count - done, STEP);

		for (i = 0; i < step; i++)
			ips[i] = functions[numbers[done + i]].ip;
		error = wanted ? take(ips, step) : let_go(ips, step);
		for (i = 0; i < step && (!error || !wanted); i++)
			functions[numbers[done + i]].applied = wanted;
		if (!error || !wanted)
			napplied += wanted ? step : -step;
		cond_resched();
	}
	if (error)
		pr_warn("hypertrace: of %u functions that change, %u did: %d\n", count, done, error);
	vfree(numbers);
	vfree(ips);
	return error;
}

static bool any_return_wanted(void)
{
	u32 i;

	for (i = 0; i < nfunctions; i++)
		if (return_wanted(&functions[i]))
			return true;
	return false;
}

/* Makes the instrumentation what the probes say. */
int ht_fbt_commit(void)
{
	int error, gone;

	if (!dirty)
		return 0;
	dirty = false;
	error = any_return_wanted() ? make_pool() : 0;
	if (!error)
		error = change(true);
	gone = change(false);
	return error ?: gone;
}

/* Before a module's text goes: its functions are let go, its probes announced as gone. */
void ht_fbt_module_gone(struct module *mod)
{
	u32 i, first = 0, count = 0;

	for (i = 0; i < nfunctions; i++) {
		struct function *function = &functions[i];
		u32 ids = function->returns ? 2 : 1;

		if (dead(function) || !within_module(function->ip, mod))
			continue;
		if (entry_wanted(function))
			dirty = true;
		if (count && function->entry == first + count) {
			count += ids;
		} else {
			if (count)
				ht_probe_remove(first, count);
			first = function->entry;
			count = ids;
		}
	}
	if (count)
		ht_probe_remove(first, count);
	ht_fbt_commit();
}

/* Lets all functions go and forgets them. Every probe must be disabled. */
void ht_fbt_exit(void)
{
	unregister();
	ftrace_set_filter(&ops, NULL, 0, 1);
	free_pool();
	vfree(functions);
	vfree(slots);
	functions = NULL;
	slots = NULL;
	nfunctions = 0;
}
