/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor pages and the doorbell.
 *
 * A page is one whole page of the kernel's memory, which is wired, so it is contiguous for the
 * host. The fields that never change are written when the page is made; a call writes the rest.
 *
 * Which doorbell there is follows from the hypervisor that the kernel has found by CPUID: bhyve's
 * is a port, of which its exit tells the shim; anything else gets the store, which is harmless
 * where nobody watches for it.
 */
#include "hypertrace.h"

#include <vm/vm.h>
#include <vm/pmap.h>
#include <machine/md_var.h>
#include <machine/vmparam.h>

CTASSERT(sizeof(struct ht_page) == PAGE_SIZE);

struct ht_cpu *ht_cpus;
uint64_t ht_cookie;

/* The page of the calls of whose turn it is. */
static struct ht_page *own_page;
static uint32_t own_frame;
static uint32_t own_sequence;
static bool by_port;

static struct ht_page *
page_new(uint32_t cpu, uint8_t level, uint32_t *frame)
{
	struct ht_page *page;

	page = malloc_aligned(sizeof(*page), PAGE_SIZE, M_HYPERTRACE, M_WAITOK | M_ZERO);
	page->header.magic = HT_MAGIC;
	page->header.version = HT_ABI_VERSION_V1;
	page->header.cpu = cpu;
	page->header.level = level;
	*frame = atop(pmap_kextract((vm_offset_t)page));
	return (page);
}

void
ht_pages_alloc(void)
{
	int cpu, level;

	by_port = strcmp(hv_vendor, "bhyve bhyve ") == 0;
	own_page = page_new(0, HT_LEVEL_TASK, &own_frame);
	ht_cpus = malloc_aligned((mp_maxid + 1) * sizeof(*ht_cpus), CACHE_LINE_SIZE, M_HYPERTRACE,
	    M_WAITOK | M_ZERO);
	for (cpu = 0; cpu <= mp_maxid; cpu++)
		for (level = 0; level < HT_LEVELS; level++)
			ht_cpus[cpu].page[level] =
			    page_new(cpu, level, &ht_cpus[cpu].frame[level]);
}

void
ht_pages_free(void)
{
	int cpu, level;

	for (cpu = 0; cpu <= mp_maxid; cpu++)
		for (level = 0; level < HT_LEVELS; level++)
			free(ht_cpus[cpu].page[level], M_HYPERTRACE);
	free(ht_cpus, M_HYPERTRACE);
	free(own_page, M_HYPERTRACE);
}

/* Makes the call and returns the host's status; HT_STATUS_UNANSWERED if nobody listens. */
uint32_t
ht_ring(struct ht_page *page, uint32_t frame, uint16_t call, uint32_t length, uint32_t sequence)
{
	struct ht_header *header = &page->header;
	uint64_t value = (uint64_t)call << 32 | sequence;

	header->call = call;
	header->length = length;
	header->cr3 = rcr3();
	header->cookie = ht_cookie;
	HT_WRITE(header->status, HT_STATUS_UNANSWERED);
	if (by_port) {
		header->doorbell = value;
		__compiler_membar();
		outl(HT_DOORBELL_PORT, frame);
		__compiler_membar();
	} else {
		__asm __volatile(".byte " HT_DOORBELL_BYTES
		    :
		    : "D" ((char *)&header->doorbell - HT_DOORBELL_DISPLACEMENT), "S" (value)
		    : "memory");
	}
	return (HT_READ(header->status));
}

void *
ht_body(void)
{
	return (own_page->body);
}

uint32_t
ht_call(uint16_t call, uint32_t length)
{
	uint32_t status;

	own_page->header.cpu = curcpu;
	status = ht_ring(own_page, own_frame, call, length, ++own_sequence);
	if (call == HT_CALL_HELLO && status == HT_STATUS_OK)
		ht_cookie = own_page->header.cookie;
	return (status);
}

uint64_t
ht_drops(void)
{
	uint64_t drops = 0;
	int cpu;

	for (cpu = 0; cpu <= mp_maxid; cpu++)
		drops += HT_READ(ht_cpus[cpu].drops);
	return (drops);
}
