// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Descriptor pages and the doorbell.
 *
 * A page is one whole page of the direct map, so it is contiguous for the host. The fields that
 * never change are written when the page is made; a call writes the rest.
 */
#include <linux/mm.h>
#include <linux/smp.h>
#include <asm/special_insns.h>

#include "hypertrace.h"

DEFINE_PER_CPU(struct ht_cpu, ht_cpus);

/* The page of the calls that ht_lock serialises, and the host's cookie. */
static struct ht_page *own_page;
static u32 own_sequence;
u64 ht_cookie;

static struct ht_page *page_new(u32 cpu, u8 level)
{
	struct ht_page *page = (void *)get_zeroed_page(GFP_KERNEL);

	BUILD_BUG_ON(sizeof(struct ht_page) != PAGE_SIZE);
	if (!page)
		return NULL;
	page->header.magic = HT_MAGIC;
	page->header.version = HT_ABI_VERSION_V1;
	page->header.cpu = cpu;
	page->header.level = level;
	return page;
}

int ht_pages_alloc(void)
{
	int cpu, level;

	own_page = page_new(0, HT_LEVEL_TASK);
	if (!own_page)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		for (level = 0; level < HT_LEVELS; level++) {
			struct ht_page *page = page_new(cpu, level);

			if (!page)
				return -ENOMEM;
			per_cpu(ht_cpus, cpu).page[level] = page;
		}
	}
	return 0;
}

void ht_pages_free(void)
{
	int cpu, level;

	for_each_possible_cpu(cpu)
		for (level = 0; level < HT_LEVELS; level++)
			free_page((unsigned long)per_cpu(ht_cpus, cpu).page[level]);
	free_page((unsigned long)own_page);
}

/* Makes the call and returns the host's status; HT_STATUS_UNANSWERED if nobody listens. */
u32 ht_ring(struct ht_page *page, u16 call, u32 length, u32 sequence)
{
	struct ht_header *header = &page->header;
	u64 value = (u64)call << 32 | sequence;

	header->call = call;
	header->length = length;
	header->cr3 = __native_read_cr3();
	header->cookie = ht_cookie;
	WRITE_ONCE(header->status, HT_STATUS_UNANSWERED);
	asm volatile(".byte " HT_DOORBELL_BYTES
		     :
		     : "D"((char *)&header->doorbell - HT_DOORBELL_DISPLACEMENT), "S"(value)
		     : "memory");
	return READ_ONCE(header->status);
}

void *ht_body(void)
{
	lockdep_assert_held(&ht_lock);
	return own_page->body;
}

u32 ht_call(u16 call, u32 length)
{
	u32 status;

	own_page->header.cpu = raw_smp_processor_id();
	status = ht_ring(own_page, call, length, ++own_sequence);
	if (call == HT_CALL_HELLO && status == HT_STATUS_OK)
		ht_cookie = own_page->header.cookie;
	return status;
}

u64 ht_drops(void)
{
	u64 drops = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		drops += READ_ONCE(per_cpu(ht_cpus, cpu).drops);
	return drops;
}
