/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap, and what else of libkern and the clock is needed.
 *
 * Blocks are powers of two, a page at least if they are aligned to one. What is freed is filled
 * with UMA's trash, and a block that is freed twice, or under another type, is a panic. Every type
 * is counted: one that goes with blocks left has leaked.
 */
#include "host.h"

#include <sys/libkern.h>
#include <sys/sysctl.h>
#include <sys/time.h>
#include <machine/clock.h>

/* The headers' are macros that ask for the compiler's own. */
#undef malloc
#undef memset
#undef memcpy
#undef memmove
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp

#define	MAGIC	0x48454150
#define	FREED	0x46524545

struct block {
	uint32_t	magic;
	uint32_t	class;
	struct malloc_type *type;
	size_t		size;
	struct block	*next;
	char		pad[32];
};
CTASSERT(sizeof(struct block) == CACHE_LINE_SIZE);

static struct block *free_blocks[40];
static uint64_t heap_next;
static volatile u_int heap_lock;
static volatile u_int leaked;

/* Blocks of each type that are out; a type's own word for it. */
static volatile u_int *
out(struct malloc_type *type)
{
	return ((volatile u_int *)&type->ks_mti.mti_probes[0]);
}

void
ht_memory_init(void)
{
	heap_next = roundup2(ht_boot.heap, PAGE_SIZE);
}

/* A block whose memory begins at a multiple of `align`, a power of two. */
static void *
allocate(size_t size, size_t align, struct malloc_type *type, int flags)
{
	struct block *b;
	u_int class = 7;

	if (curthread->td_intr_nesting_level != 0 && (flags & M_WAITOK) != 0)
		panic("malloc(M_WAITOK) in an interrupt");
	while (((size_t)1 << class) < size + sizeof(*b) + (align > CACHE_LINE_SIZE ? align : 0))
		class++;
	ht_spin_lock(&heap_lock);
	b = align > CACHE_LINE_SIZE ? NULL : free_blocks[class];
	if (b != NULL) {
		free_blocks[class] = b->next;
	} else {
		uint64_t at = roundup2(heap_next + sizeof(*b), MAX(align, CACHE_LINE_SIZE));

		b = (struct block *)at - 1;
		heap_next = at + ((size_t)1 << class);
		if (heap_next > ht_boot.heap_end)
			ht_host_abort("the heap is full");
	}
	ht_spin_unlock(&heap_lock);
	b->magic = MAGIC;
	b->class = class;
	b->type = type;
	b->size = size;
	atomic_add_int(out(type), 1);
	memset(b + 1, (flags & M_ZERO) != 0 ? 0 : 0xa5, size);
	return (b + 1);
}

void *
malloc(size_t size, struct malloc_type *type, int flags)
{
	return (allocate(size, CACHE_LINE_SIZE, type, flags));
}

void *
malloc_aligned(size_t size, size_t align, struct malloc_type *type, int flags)
{
	return (allocate(size, align, type, flags));
}

void *
contigmalloc(unsigned long size, struct malloc_type *type, int flags, vm_paddr_t low, vm_paddr_t high,
    unsigned long align, vm_paddr_t boundary __unused)
{
	void *at = allocate(size, MAX(align, PAGE_SIZE), type, flags);
	vm_paddr_t pa = (uint64_t)at - ht_boot.base;

	return (pa >= low && pa + size - 1 <= high ? at : NULL);
}

void
free(void *at, struct malloc_type *type)
{
	struct block *b = (struct block *)at - 1;
	uint32_t *word;

	if (at == NULL)
		return;
	if (b->magic != MAGIC || b->type != type)
		panic("free of %p, which is %s", at, b->magic == FREED ? "free" : "no block");
	for (word = at; (char *)word < (char *)at + b->size; word++)
		*word = 0xdeadc0de;
	b->magic = FREED;
	atomic_subtract_int(out(type), 1);
	ht_spin_lock(&heap_lock);
	/* One that was aligned is used up: its place in its class is not known. */
	if (((uint64_t)at & PAGE_MASK) != 0) {
		b->next = free_blocks[b->class];
		free_blocks[b->class] = b;
	}
	ht_spin_unlock(&heap_lock);
}

void
zfree(void *at, struct malloc_type *type)
{
	free(at, type);
}

void
contigfree(void *at, unsigned long size __unused, struct malloc_type *type)
{
	free(at, type);
}

void
malloc_init(void *type)
{
	*out(type) = 0;
}

void
malloc_uninit(void *data)
{
	struct malloc_type *type = data;

	if (*out(type) != 0)
		printf("Warning: memory type %s leaked memory on destroy (%u allocations)\n",
		    type->ks_shortdesc, *out(type));
	leaked += *out(type);
}

/* For tests: blocks that were never freed, of types that are gone. */
u_int ht_leaked(void);

u_int
ht_leaked(void)
{
	return (leaked);
}

/* libkern. */

void *
memset(void *to, int byte, size_t len)
{
	char *at = to;

	while (len-- > 0)
		*at++ = byte;
	return (to);
}

void *
memcpy(void *to, const void *from, size_t len)
{
	const char *source = from;
	char *at = to;

	while (len-- > 0)
		*at++ = *source++;
	return (to);
}

void *
memmove(void *to, const void *from, size_t len)
{
	const char *source = from;
	char *at = to;

	if (at < source)
		return (memcpy(to, from, len));
	while (len-- > 0)
		at[len] = source[len];
	return (to);
}

int
memcmp(const void *a, const void *b, size_t len)
{
	const u_char *x = a, *y = b;

	for (; len > 0; len--, x++, y++)
		if (*x != *y)
			return (*x - *y);
	return (0);
}

size_t
strlen(const char *text)
{
	size_t n = 0;

	while (text[n] != '\0')
		n++;
	return (n);
}

size_t
strnlen(const char *text, size_t most)
{
	size_t n = 0;

	while (n < most && text[n] != '\0')
		n++;
	return (n);
}

int
strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return ((u_char)*a - (u_char)*b);
}

int
strncmp(const char *a, const char *b, size_t most)
{
	for (; most > 0; most--, a++, b++)
		if (*a != *b || *a == '\0')
			return ((u_char)*a - (u_char)*b);
	return (0);
}

char *
strchr(const char *text, int byte)
{
	for (;; text++) {
		if (*text == (char)byte)
			return (__DECONST(char *, text));
		if (*text == '\0')
			return (NULL);
	}
}

char *
strrchr(const char *text, int byte)
{
	const char *found = NULL;

	for (;; text++) {
		if (*text == (char)byte)
			found = text;
		if (*text == '\0')
			return (__DECONST(char *, found));
	}
}

char *
strstr(const char *text, const char *part)
{
	size_t len = strlen(part);

	for (; *text != '\0'; text++)
		if (strncmp(text, part, len) == 0)
			return (__DECONST(char *, text));
	return (NULL);
}

size_t
strlcpy(char *to, const char *from, size_t size)
{
	size_t len = strlen(from), n = MIN(len, size - 1);

	if (size != 0) {
		memcpy(to, from, n);
		to[n] = '\0';
	}
	return (len);
}

size_t
strlcat(char *to, const char *from, size_t size)
{
	size_t len = strnlen(to, size);

	return (len + strlcpy(to + len, from, size - len));
}

/* Numbers that differ from boot to boot are all that is asked for. */
void
arc4rand(void *to, u_int len, int reseed __unused)
{
	uint64_t state = ht_host_now() | 1;
	uint8_t *at = to;

	while (len-- > 0) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		*at++ = state >> 32;
	}
}

uint32_t
arc4random(void)
{
	uint32_t number;

	arc4rand(&number, sizeof(number), 0);
	return (number);
}

/* `kern.boot_id`, as in 15: sixteen bytes that stay the same while the kernel runs. */
int
kernel_sysctlbyname(struct thread *td __unused, char *name, void *old, size_t *oldlen,
    void *new __unused, size_t newlen __unused, size_t *retval, int flags __unused)
{
	static uint8_t id[16];

	if (strcmp(name, "kern.boot_id") != 0)
		return (ENOENT);
	if (id[0] == 0) {
		arc4rand(id, sizeof(id), 0);
		id[0] |= 1;
	}
	if (*oldlen < sizeof(id))
		return (ENOMEM);
	memcpy(old, id, sizeof(id));
	*oldlen = sizeof(id);
	if (retval != NULL)
		*retval = sizeof(id);
	return (0);
}

/* The kernel's environment: one variable, which tests set. */
static int destructive;
int ht_permit(int);

int
ht_permit(int permit)
{
	destructive = permit;
	return (permit);
}

int
getenv_int(const char *name, int *value)
{
	if (strcmp(name, "hypertrace.destructive") != 0 || destructive == 0)
		return (0);
	*value = destructive;
	return (1);
}

/* The clock. */

void
binuptime(struct bintime *bt)
{
	*bt = sbttobt(nstosbt(ht_host_now()));
}

void
getbinuptime(struct bintime *bt)
{
	binuptime(bt);
}

void
nanouptime(struct timespec *ts)
{
	uint64_t now = ht_host_now();

	ts->tv_sec = now / 1000000000;
	ts->tv_nsec = now % 1000000000;
}

void
getnanouptime(struct timespec *ts)
{
	nanouptime(ts);
}

void
nanotime(struct timespec *ts)
{
	nanouptime(ts);
}

/* Threads' time is counted in cycles, as where the kernel trusts the counter. */
static uint64_t
ticks_now(void)
{
	return (rdtsc());
}

cpu_tick_f *cpu_ticks = ticks_now;

uint64_t
cpu_tickrate(void)
{
	return (tsc_freq);
}

void
DELAY(int microseconds)
{
	uint64_t end = ht_host_now() + (uint64_t)microseconds * 1000;

	while (ht_host_now() < end)
		cpu_spinwait();
}
