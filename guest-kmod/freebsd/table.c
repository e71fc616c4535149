/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes by id, and the batches in which probes and symbols are announced.
 *
 * Ids go up without gaps and are never given out twice while the host knows us.
 */
#include "hypertrace.h"

static struct ht_chunks table = { .size = sizeof(struct ht_probe) };
static uint32_t most_probes;

/* A batch that is being filled. */
struct batch {
	uint8_t		*bytes;
	uint32_t	len;
	uint32_t	count;
	bool		sent;	/* something of this table went out before */
};

static struct batch probes, symbols;
static uint32_t batch_first;

uint32_t
ht_probes(void)
{
	return (HT_READ(table.count));
}

struct ht_probe *
ht_probe(uint32_t id)
{
	if (id == 0 || id > ht_probes())
		return (NULL);
	return (ht_chunks_at(&table, id - 1));
}

static void
finish(struct batch *batch, uint32_t len)
{
	batch->len += len;
	batch->count++;
}

static uint32_t
flags_of(const struct batch *batch, bool last)
{
	return ((batch->sent ? 0 : HT_BATCH_FLAGS_FIRST) | (last ? HT_BATCH_FLAGS_LAST : 0));
}

/* The batch is out; what it held is free again. */
static int
sent(struct batch *batch, const char *what, uint32_t status)
{
	batch->sent = true;
	batch->len = batch->count = 0;
	if (status == HT_STATUS_OK)
		return (0);
	ht_say("the host refuses our %s: status %u", what, status);
	return (EPROTO);
}

static int
send_probes(bool last)
{
	struct ht_probes *body = ht_body();

	memset(body, 0, sizeof(*body));
	body->gva = (uintptr_t)probes.bytes;
	body->len = probes.len;
	body->count = probes.count;
	body->first_id = batch_first;
	body->flags = flags_of(&probes, last);
	batch_first = ht_probes() + 1;
	return (sent(&probes, "probes", ht_call(HT_CALL_PROBES, sizeof(*body))));
}

int
ht_probe_flush(bool last)
{
	return (probes.count != 0 || last ? send_probes(last) : 0);
}

/* Puts a probe into the table and the batch; 0 if there is no room. */
uint32_t
ht_probe_add(const struct ht_description *d)
{
	struct ht_probe *probe;

	probe = ht_probes() < most_probes ? ht_chunks_next(&table) : NULL;
	if (probe == NULL)
		return (0);
	if (probes.len + HT_ENTRY_MOST > HT_BATCH_BYTES && send_probes(false) != 0)
		return (0);
	probe->kind = d->kind;
	probe->index = d->index;
	finish(&probes, ht_entry_probe(probes.bytes + probes.len, d));
	ht_chunks_take(&table);
	return (ht_probes());
}

/* Tells the host that probes are no more; their ids stay used. */
void
ht_probe_remove(uint32_t first, uint32_t count)
{
	struct ht_probes_gone *body = ht_body();
	uint32_t id;

	for (id = first; id < first + count; id++) {
		HT_WRITE(ht_probe(id)->enabled, 0);
		ht_probe(id)->kind = HT_PROBE_KIND_OTHER;
	}
	body->first_id = first;
	body->count = count;
	ht_call(HT_CALL_PROBES_GONE, sizeof(*body));
}

static int
send_symbols(bool last)
{
	struct ht_symbols *body = ht_body();

	body->gva = (uintptr_t)symbols.bytes;
	body->len = symbols.len;
	body->count = symbols.count;
	body->flags = flags_of(&symbols, last);
	return (sent(&symbols, "symbols", ht_call(HT_CALL_SYMBOLS, sizeof(*body))));
}

int
ht_symbol_flush(bool last)
{
	return (symbols.count != 0 || last ? send_symbols(last) : 0);
}

int
ht_symbol_add(const char *name, const char *module, uintptr_t addr, size_t size, char kind)
{
	if (symbols.len + HT_ENTRY_MOST > HT_BATCH_BYTES && send_symbols(false) != 0)
		return (EPROTO);
	finish(&symbols, ht_entry_symbol(symbols.bytes + symbols.len, name, module, addr,
	    MIN(size, UINT32_MAX), kind));
	return (0);
}

void
ht_table_init(uint32_t max_probes)
{
	most_probes = MIN(max_probes, HT_MAX_PROBES);
	batch_first = 1;
	probes.bytes = malloc(HT_BATCH_BYTES, M_HYPERTRACE, M_WAITOK);
	symbols.bytes = malloc(HT_BATCH_BYTES, M_HYPERTRACE, M_WAITOK);
}

/* Forgets everything. Nothing may be instrumented, and no CPU inside a hook any more. */
void
ht_table_clear(void)
{
	ht_chunks_free(&table);
	free(probes.bytes, M_HYPERTRACE);
	free(symbols.bytes, M_HYPERTRACE);
	memset(&probes, 0, sizeof(probes));
	memset(&symbols, 0, sizeof(symbols));
}
