/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Entries of PROBES and SYMBOLS batches, as every guest module writes them. After
 * hypertrace_abi.h and the system's own memset.
 */
#ifndef HYPERTRACE_ENTRY_H
#define HYPERTRACE_ENTRY_H

/* The room one batch has, and the most that one entry of it takes. */
#define HT_BATCH_BYTES (1u << 20)
#define HT_ENTRY_MOST 2048

/* A probe to be announced. */
struct ht_description {
	uint8_t kind;
	uint8_t nargs;
	uint32_t index; /* in its provider's own table */
	uint64_t address;
	const char *provider;
	const char *module;
	const char *function;
	const char *name;
	const char *args; /* NULL: the host derives them from the types */
};

/* Copies a string with its NUL, cut at `most`; what a terminal would not like becomes '?'. */
static inline uint8_t *ht_entry_text(uint8_t *to, const char *text, uint32_t most)
{
	while (*text && most--) {
		*to++ = *text >= ' ' && *text < 0x7f ? *text : '?';
		text++;
	}
	*to++ = 0;
	return to;
}

/* Ends the entry: pads it and writes its length, which is what it takes of the batch. */
static inline uint32_t ht_entry_end(uint8_t *entry, uint8_t *end)
{
	uint32_t len = end - entry, padded = (len + 3) & ~3u;

	memset(end, 0, padded - len);
	*(uint16_t *)entry = padded;
	return padded;
}

/* Writes a probe's entry and returns how much of the batch it takes. */
static inline uint32_t ht_entry_probe(uint8_t *entry, const struct ht_description *d)
{
	struct ht_probe_head *head = (void *)entry;
	uint8_t *end;

	head->kind = d->kind;
	head->nargs = d->nargs;
	head->address_low = d->address;
	head->address_high = d->address >> 32;
	end = ht_entry_text((uint8_t *)(head + 1), d->provider, HT_MAX_NAME);
	end = ht_entry_text(end, d->module, HT_MAX_NAME);
	end = ht_entry_text(end, d->function, HT_MAX_FUNCTION);
	end = ht_entry_text(end, d->name, HT_MAX_NAME);
	end = ht_entry_text(end, d->args ? d->args : "", HT_MAX_TYPES);
	return ht_entry_end(entry, end);
}

/* The same of a symbol; `size` is 0 if it is not known. */
static inline uint32_t ht_entry_symbol(uint8_t *entry, const char *name, const char *module,
				       uint64_t address, uint32_t size, char kind)
{
	struct ht_symbol_head *head = (void *)entry;
	uint8_t *end;

	head->kind = kind;
	head->reserved = 0;
	head->size = size;
	head->address_low = address;
	head->address_high = address >> 32;
	end = ht_entry_text((uint8_t *)(head + 1), name, HT_MAX_SYMBOL);
	end = ht_entry_text(end, module, HT_MAX_NAME);
	return ht_entry_end(entry, end);
}

#endif
