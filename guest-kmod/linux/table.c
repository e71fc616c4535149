// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Probes by id, and the batches in which probes and symbols are announced.
 *
 * Ids go up without gaps and are never given out twice while the host knows us. Probes lie in
 * chunks that are never moved, so the firing path needs no lock to find one.
 */
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "hypertrace.h"

#define CHUNK 4096
#define CHUNKS (HT_MAX_PROBES / CHUNK)

static struct ht_probe *chunks[CHUNKS];
u32 ht_probes;
static u32 most_probes;

/* A batch that is being filled. */
struct batch {
	u8 *bytes;
	u32 len;
	u32 count;
	bool sent; /* something of this table went out before */
};

static struct batch probes, symbols;
static u32 batch_first;

struct ht_probe *ht_probe(u32 id)
{
	if (id == 0 || id > READ_ONCE(ht_probes))
		return NULL;
	return &chunks[(id - 1) / CHUNK][(id - 1) % CHUNK];
}

/* Counts an entry of that length into the batch. */
static void finish(struct batch *batch, u32 len)
{
	batch->len += len;
	batch->count++;
}

static int send_probes(bool last)
{
	struct ht_probes *body = ht_body();
	u32 status;

	memset(body, 0, sizeof(*body));
	body->gva = (unsigned long)probes.bytes;
	body->len = probes.len;
	body->count = probes.count;
	body->first_id = batch_first;
	body->flags = (probes.sent ? 0 : HT_BATCH_FLAGS_FIRST) | (last ? HT_BATCH_FLAGS_LAST : 0);
	status = ht_call(HT_CALL_PROBES, sizeof(*body));
	probes.sent = true;
	probes.len = probes.count = 0;
	batch_first = ht_probes + 1;
	if (status) {
		pr_warn("hypertrace: the host refuses our probes: status %u\n", status);
		return -EPROTO;
	}
	return 0;
}

int ht_probe_flush(bool last)
{
	return probes.count || last ? send_probes(last) : 0;
}

/* Puts a probe into the table and the batch; 0 if there is no room. */
u32 ht_probe_add(const struct ht_description *d)
{
	u32 at = ht_probes;
	struct ht_probe *probe;

	if (at >= most_probes)
		return 0;
	if (!chunks[at / CHUNK]) {
		chunks[at / CHUNK] = vzalloc(CHUNK * sizeof(struct ht_probe));
		if (!chunks[at / CHUNK])
			return 0;
	}
	if (probes.len + HT_ENTRY_MOST > HT_BATCH_BYTES && send_probes(false))
		return 0;
	probe = &chunks[at / CHUNK][at % CHUNK];
	probe->kind = d->kind;
	probe->index = d->index;
	finish(&probes, ht_entry_probe(probes.bytes + probes.len, d));
	WRITE_ONCE(ht_probes, at + 1);
	return at + 1;
}

/* Tells the host that probes are no more; their ids stay used. */
void ht_probe_remove(u32 first, u32 count)
{
	struct ht_probes_gone *body = ht_body();
	u32 id;

	for (id = first; id < first + count; id++) {
		ht_probe(id)->enabled = 0;
		ht_probe(id)->kind = HT_PROBE_KIND_OTHER;
	}
	body->first_id = first;
	body->count = count;
	ht_call(HT_CALL_PROBES_GONE, sizeof(*body));
}

static int send_symbols(bool last)
{
	struct ht_symbols *body = ht_body();
	u32 status;

	body->gva = (unsigned long)symbols.bytes;
	body->len = symbols.len;
	body->count = symbols.count;
	body->flags = (symbols.sent ? 0 : HT_BATCH_FLAGS_FIRST) | (last ? HT_BATCH_FLAGS_LAST : 0);
	status = ht_call(HT_CALL_SYMBOLS, sizeof(*body));
	symbols.sent = true;
	symbols.len = symbols.count = 0;
	if (status) {
		pr_warn("hypertrace: the host refuses our symbols: status %u\n", status);
		return -EPROTO;
	}
	return 0;
}

int ht_symbol_flush(bool last)
{
	return symbols.count || last ? send_symbols(last) : 0;
}

int ht_symbol_add(const char *name, const char *module, unsigned long addr, char kind)
{
	if (symbols.len + HT_ENTRY_MOST > HT_BATCH_BYTES && send_symbols(false))
		return -EPROTO;
	finish(&symbols, ht_entry_symbol(symbols.bytes + symbols.len, name, module, addr, 0, kind));
	return 0;
}

int ht_table_init(u32 max_probes)
{
	most_probes = min_t(u32, max_probes, HT_MAX_PROBES);
	batch_first = 1;
	probes.bytes = vmalloc(HT_BATCH_BYTES);
	symbols.bytes = vmalloc(HT_BATCH_BYTES);
	return probes.bytes && symbols.bytes ? 0 : -ENOMEM;
}

/* Forgets everything. Nothing may be instrumented any more. */
void ht_table_clear(void)
{
	u32 i;

	WRITE_ONCE(ht_probes, 0);
	for (i = 0; i < CHUNKS; i++) {
		vfree(chunks[i]);
		chunks[i] = NULL;
	}
	vfree(probes.bytes);
	vfree(symbols.bytes);
	memset(&probes, 0, sizeof(probes));
	memset(&symbols, 0, sizeof(symbols));
}
