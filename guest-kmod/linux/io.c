// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Provider io: block input and output, one fire a bio.
 *
 *   start  a bio is handed to a disk's queue; arg0 the bio. In the submitter's context, so the
 *          stack shows who wanted the transfer.
 *   done   it is complete; arg0 the bio. Mostly in interrupt context.
 */
#include <linux/blkdev.h>

#include "hypertrace.h"

enum { START, DONE, PROBES };

static u32 ids[PROBES];

static void on_start(void *data, struct bio *bio);
static void on_done(void *data, struct request_queue *queue, struct bio *bio);

static struct ht_trace traces[PROBES] = {
	[START] = { .probe = on_start },
	[DONE] = { .probe = on_done },
};

static void fire(int which, struct bio *bio)
{
	u64 arg = (unsigned long)bio;
	struct ht_event event = {
		.id = ids[which],
		.args = &arg,
		.nargs = 1,
		.skip = (unsigned long)traces[which].tp->iterator,
		.skip_size = traces[which].skip_size,
		.stack = HT_STACK_CALLER,
	};

	ht_fire(&event);
}

static void on_start(void *data, struct bio *bio)
{
	fire(START, bio);
}

static void on_done(void *data, struct request_queue *queue, struct bio *bio)
{
	fire(DONE, bio);
}

int ht_io_publish(void)
{
	static const struct {
		const char *name;
		const char *function;
		const char *tracepoint;
	} probes[PROBES] = {
		[START] = { "start", "submit_bio_noacct", "block_bio_queue" },
		[DONE] = { "done", "bio_endio", "block_bio_complete" },
	};
	int i;

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

		traces[i].tp = ht_tracepoint(probes[i].tracepoint);
		if (traces[i].tp)
			ids[i] = ht_probe_add(&d);
	}
	return 0;
}

int ht_io_set(u32 index, bool on)
{
	if (on)
		return ht_trace_get(&traces[index]);
	ht_trace_put(&traces[index]);
	return 0;
}

void ht_io_exit(void)
{
	int i;

	for (i = 0; i < PROBES; i++)
		while (traces[i].users)
			ht_trace_put(&traces[i]);
	tracepoint_synchronize_unregister();
}
