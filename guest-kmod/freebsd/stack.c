/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel stacks, innermost first, along frame pointers, which FreeBSD's kernel keeps.
 *
 * A frame is believed as long as it lies in the current thread's kernel stack, above the one
 * before it; a return address of 0 ends it. Where an interrupt or a trap lies between, the
 * interrupted function itself is not in the chain, as in stack(9).
 *
 * Context: any, also NMI. Bounded by `most`.
 */
#include "hypertrace.h"


struct frame {
	uintptr_t	fp;
	uintptr_t	caller;
};

/* Whether a whole frame lies here. A frame on another stack (NMI, double fault) ends the walk. */
static bool
is_frame(const struct thread *td, uintptr_t fp)
{
	uintptr_t offset = fp - td->td_kstack;

	return (offset <= (uintptr_t)td->td_kstack_pages * PAGE_SIZE - sizeof(struct frame) &&
	    (fp & (sizeof(uintptr_t) - 1)) == 0);
}

uint32_t
ht_stack(const struct ht_event *event, uint64_t *frames, uint32_t most)
{
	const struct thread *td = curthread;
	uintptr_t fp = event->fp;
	uint32_t n = 0;

	if (event->ip != 0 && n < most)
		frames[n++] = event->ip;
	if (event->caller != 0 && n < most)
		frames[n++] = event->caller;
	while (n < most && is_frame(td, fp)) {
		const struct frame *frame = (const struct frame *)fp;

		if (frame->caller == 0)
			break;
		frames[n++] = frame->caller;
		if (frame->fp <= fp)
			break;
		fp = frame->fp;
	}
	return (n);
}
