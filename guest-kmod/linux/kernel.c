// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * What the kernel does not export to modules.
 *
 * kallsyms_lookup_name() is found with a kprobe that is removed at once; everything else through
 * it. Each function that is needed is looked up at load: a kernel that lacks one is refused there,
 * with the name, and not at the first use.
 */
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>

#include "hypertrace.h"

static struct {
	unsigned long (*lookup_name)(const char *name);
	unsigned long (*location_range)(unsigned long start, unsigned long end);
	int (*symbol_size_offset)(unsigned long addr, unsigned long *size, unsigned long *offset);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	int (*each_symbol)(int (*fn)(void *, const char *, unsigned long), void *data);
	int (*each_module_symbol)(const char *modname,
				  int (*fn)(void *, const char *, unsigned long), void *data);
#else
	int (*each_symbol)(int (*fn)(void *, const char *, struct module *, unsigned long),
			   void *data);
	int (*each_module_symbol)(int (*fn)(void *, const char *, struct module *, unsigned long),
				  void *data);
#endif
	struct list_head *modules;
	struct mutex *module_mutex;
	unsigned long stext, etext, init_begin, init_end;
} k;

unsigned long ht_text_base;

static int find_lookup(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	int error = register_kprobe(&probe);

	if (error)
		return error;
	k.lookup_name = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

unsigned long ht_lookup(const char *name)
{
	return k.lookup_name(name);
}

int ht_kernel_init(void)
{
	struct {
		const char *name;
		void *place;
	} wanted[] = {
		{ "ftrace_location_range", &k.location_range },
		{ "kallsyms_lookup_size_offset", &k.symbol_size_offset },
		{ "kallsyms_on_each_symbol", &k.each_symbol },
		{ "module_kallsyms_on_each_symbol", &k.each_module_symbol },
		{ "modules", &k.modules },
		{ "module_mutex", &k.module_mutex },
		{ "_stext", &k.stext },
		{ "_etext", &k.etext },
		{ "__init_begin", &k.init_begin },
		{ "__init_end", &k.init_end },
		{ "_text", &ht_text_base },
	};
	int i, error = find_lookup();

	if (error) {
		pr_err("hypertrace: no way to the kernel's symbols (kprobes): %d\n", error);
		return error;
	}
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		unsigned long addr = ht_lookup(wanted[i].name);

		if (!addr) {
			pr_err("hypertrace: this kernel has no %s\n", wanted[i].name);
			return -ENOENT;
		}
		*(unsigned long *)wanted[i].place = addr;
	}
	return 0;
}

/* The address ftrace knows this function by, 0 if it cannot be traced. */
unsigned long ht_ftrace_location(unsigned long addr)
{
	return k.location_range(addr, addr + 8);
}

unsigned long ht_symbol_size(unsigned long addr)
{
	unsigned long size = 0, offset = 0;

	return k.symbol_size_offset(addr, &size, &offset) ? size : 0;
}

bool ht_is_own(unsigned long addr)
{
	return within_module(addr, THIS_MODULE);
}

bool ht_is_init(unsigned long addr)
{
	return addr >= k.init_begin && addr < k.init_end;
}

bool ht_is_text(unsigned long addr, struct module *mod)
{
	if (!mod)
		return addr >= k.stext && addr < k.etext;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	return within_module_mem_type(addr, mod, MOD_TEXT);
#else
	return addr >= (unsigned long)mod->core_layout.base &&
	       addr < (unsigned long)mod->core_layout.base + mod->core_layout.text_size;
#endif
}

/* A caller's function, with the module it asked for. */
struct forward {
	ht_symbol_fn fn;
	void *data;
	struct module *mod;
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
static int forward(void *data, const char *name, unsigned long addr)
{
	struct forward *to = data;

	return to->fn(to->data, name, to->mod, addr);
}
#else
static int forward(void *data, const char *name, struct module *mod, unsigned long addr)
{
	struct forward *to = data;

	return mod == to->mod ? to->fn(to->data, name, mod, addr) : 0;
}
#endif

/* Every symbol of the kernel's own image. */
int ht_each_symbol(ht_symbol_fn fn, void *data)
{
	struct forward to = { fn, data, NULL };

	return k.each_symbol(forward, &to);
}

int ht_each_module_symbol(struct module *mod, ht_symbol_fn fn, void *data)
{
	struct forward to = { fn, data, mod };

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	return k.each_module_symbol(mod->name, forward, &to);
#else
	return k.each_module_symbol(forward, &to);
#endif
}

/* Every live module but ours. The list is copied under its lock, a part at a time, so that `fn` may
 * sleep and take other locks. No module is held: a reference would make an rmmod of that moment fail.
 * One that is unloaded meanwhile stays in memory and in the list until its notifiers are through, and
 * ours waits for ht_lock. */
void ht_each_module(void (*fn)(struct module *mod))
{
	struct module *part[64], *mod, *after = NULL;
	int count, i;

	lockdep_assert_held(&ht_lock);
	do {
		bool skipping = after != NULL;

		count = 0;
		mutex_lock(k.module_mutex);
		list_for_each_entry(mod, k.modules, list) {
			if (skipping) {
				skipping = mod != after;
				continue;
			}
			if (mod == THIS_MODULE || mod->state != MODULE_STATE_LIVE)
				continue;
			part[count++] = mod;
			if (count == ARRAY_SIZE(part))
				break;
		}
		mutex_unlock(k.module_mutex);
		after = count == ARRAY_SIZE(part) ? part[count - 1] : NULL;
		for (i = 0; i < count; i++)
			fn(part[i]);
	} while (after);
}
