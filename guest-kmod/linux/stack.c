// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Kernel stacks, innermost first, beginning where the probe is: our own frames, the tracepoint's
 * and the return trampoline's are left out.
 *
 * Context: any, also NMI. Bounded by `most` and OWN_FRAMES.
 */
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/unwind.h>

#include "hypertrace.h"

/* More frames than our own code, a tracepoint and a trampoline ever have. */
#define OWN_FRAMES 24

static unsigned long trampoline, trampoline_end;

int ht_stack_init(void)
{
	trampoline = ht_lookup("arch_rethook_trampoline");
	trampoline_end = trampoline + (trampoline ? ht_symbol_size(trampoline) : 0);
	return 0;
}

static bool in(unsigned long addr, unsigned long start, unsigned long size)
{
	return addr - start < size;
}

static u32 collect(struct unwind_state *state, u64 *frames, u32 most)
{
	u32 n = 0;

	for (; n < most && !unwind_done(state); unwind_next_frame(state)) {
		unsigned long addr = unwind_get_return_address(state);

		if (!addr)
			break;
		frames[n++] = addr;
	}
	return n;
}

/* Moves to the first frame that is not ours. */
static void skip_own(struct unwind_state *state, const struct ht_event *event)
{
	int i;

	for (i = 0; i < OWN_FRAMES && !unwind_done(state); i++, unwind_next_frame(state)) {
		unsigned long addr = unwind_get_return_address(state);

		if (!ht_is_own(addr) && !in(addr, event->skip, event->skip_size))
			return;
	}
}

/* Moves behind the return trampoline's frame; false if there is none near. */
static bool skip_trampoline(struct unwind_state *state)
{
	int i;

	for (i = 0; i < OWN_FRAMES && !unwind_done(state); i++) {
		unsigned long addr = unwind_get_return_address(state);

		unwind_next_frame(state);
		if (in(addr, trampoline, trampoline_end - trampoline))
			return true;
	}
	return false;
}

u32 ht_stack(const struct ht_event *event, u64 *frames, u32 most)
{
	struct unwind_state state;

	if (!most)
		return 0;
	switch (event->stack) {
	case HT_STACK_REGS:
		if (!event->regs || user_mode(event->regs))
			return 0;
		/* The unwinder begins behind the frame it is given. */
		frames[0] = event->regs->ip;
		unwind_start(&state, current, event->regs, NULL);
		return 1 + collect(&state, frames + 1, most - 1);
	case HT_STACK_CALLER:
		unwind_start(&state, current, NULL, NULL);
		skip_own(&state, event);
		return collect(&state, frames, most);
	case HT_STACK_RETURN:
		frames[0] = event->ip;
		unwind_start(&state, current, NULL, NULL);
		if (!skip_trampoline(&state))
			return 1;
		return 1 + collect(&state, frames + 1, most - 1);
	}
	return 0;
}
