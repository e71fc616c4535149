/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays that grow without being moved, so that the firing path reads them without a lock: an
 * element is complete before its number is given to anybody.
 */
#include "hypertrace.h"

/* Room for one more at the end, zeroed; NULL if the array is full. It counts once it is taken. */
void *
ht_chunks_next(struct ht_chunks *a)
{
	uint32_t chunk = a->count / HT_CHUNK;

	if (chunk == HT_CHUNKS)
		return (NULL);
	if (a->chunks[chunk] == NULL)
		a->chunks[chunk] = malloc(HT_CHUNK * a->size, M_HYPERTRACE, M_WAITOK | M_ZERO);
	return (ht_chunks_at(a, a->count));
}

/* Takes the next element into the array. */
void
ht_chunks_take(struct ht_chunks *a)
{
	atomic_thread_fence_rel();
	HT_WRITE(a->count, a->count + 1);
}

void
ht_chunks_free(struct ht_chunks *a)
{
	uint32_t i;

	HT_WRITE(a->count, 0);
	for (i = 0; i < HT_CHUNKS; i++) {
		free(a->chunks[i], M_HYPERTRACE);
		a->chunks[i] = NULL;
	}
}
