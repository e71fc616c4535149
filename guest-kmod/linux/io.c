// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Provider io: block input and output, one fire a bio.
 *
 *   start  a bio is handed to a disk's queue; arg0 the bio. In the submitter's context, so the
 *          stack shows who wanted the transfer. A tracepoint.
 *   done   it is complete; arg0 the bio. Mostly in interrupt context. The function bio_endio() is
 *          watched: the block_bio_complete tracepoint leaves out what multi-queue disks complete.
 */
#include <linux/blkdev.h>

#include "hypertrace.h"

enum { START, DONE, PROBES };

static u32 ids[PROBES];

static void on_start(void *data, struct bio *bio);
static void on_done(struct pt_regs *regs);

static struct ht_trace start_trace = { .probe = on_start };
static struct ht_watch done_watch = { .function = "bio_endio", .entry = on_done };

static void on_start(void *data, struct bio *bio)
{
	u64 arg = (unsigned long)bio;
	struct ht_event event = {
		.id = ids[START],
		.args = &arg,
		.nargs = 1,
		.skip = (unsigned long)start_trace.tp->iterator,
		.skip_size = start_trace.skip_size,
		.stack = HT_STACK_CALLER,
	};

	ht_fire(&event);
}

static void on_done(struct pt_regs *regs)
{
	struct bio *bio = (void *)regs->di;
	u64 arg = (unsigned long)bio;
	struct ht_event event = {
		.id = ids[DONE],
		.args = &arg,
		.nargs = 1,
		.regs = regs,
		.ip = regs->ip,
		.stack = HT_STACK_REGS,
	};

	/* A bio that went to no disk, or still waits for parts of it. */
	if (!bio->bi_bdev || (bio_flagged(bio, BIO_CHAIN) && atomic_read(&bio->__bi_remaining) > 1))
		return;
	ht_fire(&event);
}

int ht_io_publish(void)
{
	static const struct {
		const char *name;
		const char *function;
	} probes[PROBES] = {
		[START] = { "start", "submit_bio_noacct" },
		[DONE] = { "done", "bio_endio" },
	};
	int i;

	start_trace.tp = ht_tracepoint("block_bio_queue");
	for (i = 0; i < PROBES; i++) {
		struct ht_description d = {
			.kind = HT_PROBE_KIND_IO,
			.nargs = 1,
			.index = i,
			.address = ht_lookup(probes[i].function),
			.provider = "io",
			.module = "vmlinux",
			.function = probes[i].function,
			.name = probes[i].name,
			.args = "struct bio *",
		};

		ids[i] = ht_probe_add(&d);
	}
	return ht_fbt_watch(&done_watch);
}

int ht_io_set(u32 index, bool on)
{
	if (index == DONE) {
		WRITE_ONCE(done_watch.wanted, on);
		ht_fbt_dirty();
	} else if (on) {
		return ht_trace_get(&start_trace);
	} else {
		ht_trace_put(&start_trace);
	}
	return 0;
}

void ht_io_exit(void)
{
	while (start_trace.users)
		ht_trace_put(&start_trace);
	WRITE_ONCE(done_watch.wanted, false);
	ht_fbt_dirty();
	tracepoint_synchronize_unregister();
}
