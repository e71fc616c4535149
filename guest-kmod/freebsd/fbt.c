/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Provider fbt: every function with a frame pointer, entry and return.
 *
 *   function:  push %rbp
 *        ──▶   mov  %rsp,%rbp     entry: its first byte becomes int3
 *              …
 *              pop  %rbp
 *        ──▶   ret                return: becomes int3; there may be several
 *
 * The trap comes to the hook that the kernel calls before its own handler (dtrace_trap_func), which
 * fires and does in the trap's frame what the instruction would have done. It is the mov that is
 * replaced and not the push, as FreeBSD's own fbt does: a push would have to write where the
 * processor has put the frame. So nothing is needed below C.
 *
 * A trap that was taken before its byte was restored finds its site still in the table, and the
 * same emulation is right.
 *
 * What the linker resolved by an ifunc has its address there, so both names have probes, at one
 * site: the function's own name comes first, since the linker has another size for the other. The firing path calls nothing of the kernel; the wrapper through which traps come to us is
 * never traced, nor is the kernel's debugger, nor we.
 */
#include "hypertrace.h"
#include "hypertrace_insn.h"

#include <sys/dtrace_bsd.h>
#include <machine/frame.h>
#include <machine/md_var.h>
#include <machine/segments.h>
#include <machine/trap.h>

#define	INT3	0xcc
#define	RET	0xc3
#define	POP_RBP	0x5d
#define	LEAVE	0xc9

#define	HASH_BITS	16
#define	STEP		512	/* sites changed with interrupts off */
#define	MOST_RETURNS	64	/* of one function; one with more has none */

/* A function by one of its names. Index 0 is none. */
struct function {
	linker_file_t	file;		/* NULL once it is gone */
	uint32_t	entry_id;
	uint32_t	return_id;	/* 0: none found */
	uint32_t	site;		/* of the entry; those of its returns follow */
	uint32_t	nreturns;
	uint32_t	alias;		/* the next function with these sites */
};

/* A place in the text. Index 0 is none. */
struct site {
	uintptr_t	addr;
	uint32_t	next;		/* with the same hash */
	uint32_t	function;	/* the first of those that have it */
	uint32_t	offset;		/* in the function */
	uint16_t	users;		/* enabled probes */
	uint8_t		original;	/* the first byte */
	bool		applied;	/* what the text says */
};

static struct ht_chunks functions = { .size = sizeof(struct function) };
static struct ht_chunks sites = { .size = sizeof(struct site) };
static uint32_t slots[1u << HASH_BITS];
static bool hooked, dirty;

static struct function *
function_of(uint32_t index)
{
	return (ht_chunks_at(&functions, index));
}

static struct site *
site_of(uint32_t index)
{
	return (ht_chunks_at(&sites, index));
}

static uint32_t *
slot_of(uintptr_t addr)
{
	return (&slots[(addr * 0x9e3779b97f4a7c15ul) >> (64 - HASH_BITS)]);
}

static struct site *
site_at(uintptr_t addr)
{
	uint32_t index = HT_READ(*slot_of(addr));

	while (index != 0 && site_of(index)->addr != addr)
		index = site_of(index)->next;
	return (index != 0 ? site_of(index) : NULL);
}

/* The firing path. */

static bool
is_return(const struct site *site)
{
	return (site->original == RET);
}

/* Six arguments are in registers; the others lie above the return address, if that is a stack's. */
static void
entry_args(const struct trapframe *frame, uint64_t *args)
{
	const struct thread *td = curthread;
	uintptr_t at = frame->tf_rsp + 2 * sizeof(uint64_t);
	uintptr_t end = td->td_kstack + (uintptr_t)td->td_kstack_pages * PAGE_SIZE;
	int i;

	args[0] = frame->tf_rdi;
	args[1] = frame->tf_rsi;
	args[2] = frame->tf_rdx;
	args[3] = frame->tf_rcx;
	args[4] = frame->tf_r8;
	args[5] = frame->tf_r9;
	for (i = 6; i < HT_ARGS; i++, at += sizeof(uint64_t))
		args[i] = at >= td->td_kstack && at < end ? *(const uint64_t *)at : 0;
}

static void
fire(const struct site *site, const struct trapframe *frame)
{
	const uintptr_t *stack = (const uintptr_t *)frame->tf_rsp;
	uint64_t args[HT_ARGS];
	struct ht_event event;
	uint32_t index;

	ht_event_init(&event, args, NULL);
	if (is_return(site)) {
		args[0] = site->offset;
		args[1] = frame->tf_rax;
	} else {
		entry_args(frame, args);
	}
	event.nargs = is_return(site) ? 2 : HT_ARGS;
	event.ip = site->addr;
	event.sp = frame->tf_rsp;
	/* The frame pointer is the caller's, before the mov as behind the pop. */
	event.fp = frame->tf_rbp;
	event.caller = is_return(site) ? stack[0] : stack[1];
	for (index = site->function; index != 0; index = function_of(index)->alias) {
		event.id = is_return(site) ? function_of(index)->return_id :
		    function_of(index)->entry_id;
		ht_fire(&event);
	}
}

/* The hook; not 0 if the trap was ours and is dealt with. */
static int
on_trap(struct trapframe *frame, u_int type)
{
	const struct site *site;

	if (type != T_BPTFLT || (frame->tf_cs & SEL_RPL_MASK) != 0)
		return (0);
	site = site_at(frame->tf_rip - 1);
	if (site == NULL)
		return (0);
	fire(site, frame);
	if (is_return(site)) {
		frame->tf_rip = *(const uint64_t *)frame->tf_rsp;
		frame->tf_rsp += sizeof(uint64_t);
	} else {
		frame->tf_rbp = frame->tf_rsp;
		frame->tf_rip += 2;
	}
	return (1);
}

/* The table. */

/* What must not be traced: the way to our hook, what runs when that is broken. */
static bool
is_excluded(const char *name)
{
	static const char *const prefixes[] = {
		"dtrace_", "kdb_", "db_", "nmi_", "ipi_nmi", "__msan", "kmsan_", "__asan", "kasan_",
		"kcsan_", "__tsan",
	};
	static const char *const names[] = { "trap_check", "trap", "trap_fatal", "dblfault_handler" };
	size_t i;

	for (i = 0; i < nitems(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return (true);
	for (i = 0; i < nitems(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (true);
	return (strlen(name) > HT_MAX_FUNCTION);
}

/* Where in the function the frame pointer is set, 0 if it has no such beginning. */
static uint32_t
entry_offset(const uint8_t *code, size_t size)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const uint8_t frame[] = { 0x55, 0x48, 0x89, 0xe5 };
	uint32_t at = 0;

	if (size > sizeof(endbr64) && memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at = sizeof(endbr64);
	if (size <= at + sizeof(frame) || memcmp(code + at, frame, sizeof(frame)) != 0)
		return (0);
	return (at + 1);
}

/*
 * The offsets of a function's returns: every `ret` behind a `pop %rbp` or `leave`, if all of the
 * function can be read as instructions; else none, for a byte that only looks like one must not be
 * changed.
 */
static uint32_t
find_returns(const uint8_t *code, size_t size, uint32_t *offsets)
{
	uint32_t at, length, count = 0;
	uint8_t before = 0;

	for (at = 0; at < size; at += length) {
		length = ht_insn_length(code + at, size - at);
		if (length == 0)
			return (0);
		if (length == 1 && code[at] == RET && (before == POP_RBP || before == LEAVE)) {
			if (count == MOST_RETURNS)
				return (0);
			offsets[count++] = at;
		}
		before = length == 1 ? code[at] : 0;
	}
	return (count);
}

/* Adds a site; 0 if there is no room. */
static uint32_t
add_site(const uint8_t *code, uint32_t offset, uint32_t function)
{
	struct site *site = ht_chunks_next(&sites);
	uint32_t *slot, index = sites.count;

	if (site == NULL)
		return (0);
	site->addr = (uintptr_t)code + offset;
	site->offset = offset;
	site->original = code[offset];
	site->function = function;
	slot = slot_of(site->addr);
	site->next = *slot;
	ht_chunks_take(&sites);
	HT_WRITE(*slot, index);
	return (index);
}

static uint32_t
publish(const char *name, const char *module, uintptr_t addr, uint8_t kind, uint32_t index)
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

	return (ht_probe_add(&d));
}

/* What a function is at least that has a frame and does anything. */
#define	LEAST	16

/* Finds a function's sites, or takes those that another name of it has; only these if size is 0. */
static bool
find_sites(struct function *function, uint32_t index, const uint8_t *code, size_t size)
{
	uint32_t offsets[MOST_RETURNS], entry = entry_offset(code, size != 0 ? size : LEAST), i;
	struct site *known;

	if (entry == 0)
		return (false);
	known = site_at((uintptr_t)code + entry);
	if (known != NULL && function_of(known->function)->file != NULL) {
		const struct function *first = function_of(known->function);

		function->site = first->site;
		function->nreturns = first->nreturns;
		return (true);
	}
	function->site = size != 0 ? add_site(code, entry, index) : 0;
	if (function->site == 0)
		return (false);
	function->nreturns = find_returns(code, size, offsets);
	for (i = 0; i < function->nreturns; i++)
		if (add_site(code, offsets[i], index) == 0)
			function->nreturns = i;
	return (true);
}

/* The probes are known; now they may fire. */
static void
link_alias(struct function *function, uint32_t index)
{
	struct function *last = function_of(site_of(function->site)->function);

	if (last == function)
		return;
	while (last->alias != 0)
		last = function_of(last->alias);
	HT_WRITE(last->alias, index);
}

/* Adds a function under one of its names, whose size is 0 if unknown. Called while its file cannot go. */
void
ht_fbt_add(const char *name, linker_file_t file, const char *module, uintptr_t addr, size_t size)
{
	struct function *function;
	uint32_t index;

	if (ht_kernel.dtrace_trap_func == NULL || is_excluded(name) || ht_is_own(file))
		return;
	/* Index 0 is none, of both tables. */
	if (functions.count == 0) {
		if (ht_chunks_next(&functions) == NULL || ht_chunks_next(&sites) == NULL)
			return;
		ht_chunks_take(&functions);
		ht_chunks_take(&sites);
	}
	function = ht_chunks_next(&functions);
	index = functions.count;
	if (function == NULL)
		return;
	memset(function, 0, sizeof(*function));
	if (!find_sites(function, index, (const uint8_t *)addr, size))
		return;
	function->file = file;
	function->entry_id = publish(name, module, addr, HT_PROBE_KIND_FBT_ENTRY, index);
	if (function->nreturns != 0)
		function->return_id = publish(name, module, addr, HT_PROBE_KIND_FBT_RETURN, index);
	ht_chunks_take(&functions);
	link_alias(function, index);
}

/* Instrumenting. */

/* Takes the hook before the first site changes; EBUSY if it is somebody else's. */
static int
take_hook(void)
{
	if (hooked)
		return (0);
	if (*ht_kernel.dtrace_trap_func != NULL)
		return (EBUSY);
	*ht_kernel.dtrace_trap_func = on_trap;
	hooked = true;
	return (0);
}

/* The text changes with ht_fbt_commit(), for all probes of a command together. */
int
ht_fbt_set(uint32_t index, uint8_t kind, bool on)
{
	const struct function *function = function_of(index);
	bool entry = kind == HT_PROBE_KIND_FBT_ENTRY;
	uint32_t first = entry ? function->site : function->site + 1;
	uint32_t count = entry ? 1 : function->nreturns, i;
	int error = on ? take_hook() : 0;

	if (error != 0)
		return (error);
	for (i = first; i < first + count; i++)
		site_of(i)->users += on ? 1 : -1;
	dirty = true;
	return (0);
}

/* Changes one byte of the text; false if it is not what it was when we looked. */
static bool
change(struct site *site, bool on)
{
	volatile uint8_t *at = (volatile uint8_t *)site->addr;

	if (*at != (on ? site->original : INT3))
		return (false);
	*at = on ? INT3 : site->original;
	site->applied = on;
	return (true);
}

/* Changes a few sites with the text writable and returns how many could not be. */
static uint32_t
change_some(uint32_t first, uint32_t count)
{
	uint32_t i, failed = 0;
	register_t flags = intr_disable();
	bool protected = disable_wp();

	for (i = first; i < first + count; i++) {
		struct site *site = site_of(i);

		if (site->applied != (site->users != 0) && !change(site, site->users != 0))
			failed++;
	}
	restore_wp(protected);
	intr_restore(flags);
	return (failed);
}

/* Makes the text what the probes say and returns how many sites could not be changed. */
uint32_t
ht_fbt_commit(void)
{
	uint32_t first, failed = 0;

	if (!dirty)
		return (0);
	dirty = false;
	for (first = 1; first < sites.count; first += STEP)
		failed += change_some(first, MIN(STEP, sites.count - first));
	if (failed != 0)
		ht_say("%u places are not what they were: somebody else has changed them", failed);
	return (failed);
}

/* Before a file's text goes: its functions are restored and announced as gone. */
void
ht_fbt_forget(linker_file_t file)
{
	uint32_t index;

	for (index = 1; index < functions.count; index++) {
		struct function *function = function_of(index);

		if (function->file != file)
			continue;
		function->file = NULL;
		ht_probe_gone(function->entry_id);
		ht_probe_gone(function->return_id);
	}
	ht_fbt_commit();
}

/* Lets the hook go: no site is applied, and no CPU on its way to the hook any more. */
void
ht_fbt_unhook(void)
{
	if (hooked)
		*ht_kernel.dtrace_trap_func = NULL;
	hooked = false;
}

/* Forgets all. No CPU is inside the hook any more. */
void
ht_fbt_exit(void)
{
	ht_chunks_free(&functions);
	ht_chunks_free(&sites);
	memset(slots, 0, sizeof(slots));
}
