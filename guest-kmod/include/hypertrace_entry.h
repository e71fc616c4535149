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

#endif
