/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * What the module's files share.
 *
 *   main.c        load, unload, the thread that polls
 *   call.c        descriptor pages and the doorbell
 *   kernel.c      what the kernel does not export
 *   table.c       probes by id, and the batches in which they are announced
 *   publish.c     fills the table: HELLO, symbols, types, modules that come and go
 *   control.c     carries out the host's commands
 *   fire.c        a fire: fills the descriptor of this CPU and level, rings
 *   stack.c       kernel stacks
 *   nested.c      guests of this guest
 *   act.c         what a fire's answer asks for (destructive actions)
 *   trap.c        breakpoints that are not there any more
 *   fbt.c tracepoint.c syscall.c standard.c profile.c   the providers
 *
 * Locks: ht_lock covers the tables and all (un)instrumenting. The firing path takes none; what it
 * reads is either written once before the instrumentation that leads there, or a single word.
 */
#ifndef HYPERTRACE_H
#define HYPERTRACE_H

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/tracepoint.h>
#include <linux/types.h>
#include <linux/version.h>

#include "hypertrace_abi.h"
#include "hypertrace_entry.h"

#ifndef CONFIG_X86_64
#error "HyperTrace's guest module is for x86-64"
#endif

#define HT_LEVELS 4
#define HT_ARGS 10

/* call.c ---------------------------------------------------------------------------------- */

struct ht_page {
	struct ht_header header;
	u8 body[HT_BODY_SIZE];
};

/* One CPU's pages, by context level. A level is busy while it fires: what would fire at the same
 * level meanwhile is our own doing or a fault of it, and is left out. */
struct ht_cpu {
	struct ht_page *page[HT_LEVELS];
	u8 busy[HT_LEVELS];
	u32 sequence;
	u64 drops;
};

DECLARE_PER_CPU(struct ht_cpu, ht_cpus);

int ht_pages_alloc(void);
void ht_pages_free(void);
u32 ht_ring(struct ht_page *page, u16 call, u32 length, u32 sequence);
/* Calls from the module's own thread, under ht_lock; the body is filled and read by the caller. */
void *ht_body(void);
u32 ht_call(u16 call, u32 length);
extern u64 ht_cookie;
u64 ht_drops(void);

/* kernel.c -------------------------------------------------------------------------------- */

struct rethook;
struct rethook_node;
typedef int (*ht_symbol_fn)(void *data, const char *name, struct module *mod, unsigned long addr);

int ht_kernel_init(void);
unsigned long ht_lookup(const char *name);
unsigned long ht_ftrace_location(unsigned long addr);
unsigned long ht_symbol_size(unsigned long addr);
int ht_each_symbol(ht_symbol_fn fn, void *data);
int ht_each_module_symbol(struct module *mod, ht_symbol_fn fn, void *data);
void ht_each_module(void (*fn)(struct module *mod));
bool ht_is_text(unsigned long addr, struct module *mod);
bool ht_is_init(unsigned long addr);
bool ht_is_own(unsigned long addr);
extern unsigned long ht_text_base;

/* table.c --------------------------------------------------------------------------------- */

/* A probe as the firing path sees it. */
struct ht_probe {
	u16 context;
	u16 frames;
	u8 kind;
	u8 enabled;
	u16 reserved;
	u32 index; /* in its provider's own table */
};

extern u32 ht_probes;
struct ht_probe *ht_probe(u32 id);
u32 ht_probe_add(const struct ht_description *d);
int ht_probe_flush(bool last);
void ht_probe_remove(u32 first, u32 count);
int ht_symbol_add(const char *name, const char *module, unsigned long addr, char kind);
int ht_symbol_flush(bool last);
int ht_table_init(u32 max_probes);
void ht_table_clear(void);

/* publish.c ------------------------------------------------------------------------------- */

extern struct mutex ht_lock;
int ht_publish(void);
void ht_unpublish(void);
void ht_publish_modules(void);
int ht_modules_init(void);
void ht_modules_exit(void);
extern bool ht_modules_pending;
extern u32 ht_interval;

/* control.c ------------------------------------------------------------------------------- */

int ht_poll(bool *more);
void ht_disable_all(void);

/* fire.c ---------------------------------------------------------------------------------- */

/* How the kernel stack of a fire begins. */
enum ht_stack_kind {
	HT_STACK_REGS,   /* at regs */
	HT_STACK_CALLER, /* at the first frame outside the module and outside [skip, skip + size) */
	HT_STACK_RETURN, /* at ip, then what called the function that returns */
};

struct ht_event {
	u32 id;
	u32 nargs;
	const u64 *args;
	struct task_struct *task; /* whose fire it is; NULL: the running thread's */
	struct pt_regs *regs; /* HT_STACK_REGS only */
	unsigned long ip;     /* 0: the first frame's */
	unsigned long skip;
	unsigned long skip_size;
	enum ht_stack_kind stack;
	s32 errno_;
};

void ht_fire(const struct ht_event *event);
void ht_drop(void);

/* stack.c --------------------------------------------------------------------------------- */

u32 ht_stack(const struct ht_event *event, u64 *frames, u32 most);
int ht_stack_init(void);

/* nested.c -------------------------------------------------------------------------------- */

bool ht_nested_fill(struct ht_nested *nested);
void ht_nested_module_types(struct module *mod, const void *bytes, size_t len);
void ht_nested_module_gone(struct module *mod);

/* main.c ---------------------------------------------------------------------------------- */

extern bool ht_destructive;

/* act.c ----------------------------------------------------------------------------------- */

void ht_act_init(void);
void ht_act_exit(void);
void ht_act(const struct ht_fire_reply *reply);

/* trap.c ---------------------------------------------------------------------------------- */

int ht_trap_init(void);
void ht_trap_exit(void);

/* Providers: publish (under ht_lock), enable and disable one probe, commit what was gathered. -- */

int ht_fbt_init(void);
void ht_fbt_add(const char *name, struct module *mod, unsigned long addr);
int ht_fbt_commit(void);
void ht_fbt_dirty(void);
void ht_fbt_module_gone(struct module *mod);
void ht_fbt_exit(void);
/* A function that another provider watches. */
struct ht_watch {
	const char *function;
	void (*entry)(struct pt_regs *regs);
	void (*leave)(struct pt_regs *regs, unsigned long ip);
	bool wanted;
};
int ht_fbt_watch(struct ht_watch *watch);

struct ht_trace {
	struct tracepoint *tp;
	void *probe;
	void *data;
	unsigned long skip_size;
	u32 users;
};
/* Under ht_lock; a trace is registered while it has users. */
int ht_trace_get(struct ht_trace *trace);
void ht_trace_put(struct ht_trace *trace);
struct tracepoint *ht_tracepoint(const char *name);

int ht_sdt_init(void);
int ht_sdt_publish(void);
void ht_sdt_publish_module(struct module *mod);
void ht_sdt_module_gone(struct module *mod);
int ht_sdt_set(u32 index, bool on);
void ht_sdt_exit(void);

int ht_syscall_publish(void);
int ht_syscall_set(u32 id, bool on);
void ht_syscall_exit(void);

int ht_standard_publish(void);
int ht_standard_set(u32 index, bool on);
void ht_standard_exit(void);

int ht_profile_init(void);
int ht_profile_publish(void);
int ht_profile_set(u32 rate, bool on);
void ht_profile_exit(void);

#endif
