/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the module's files share.
 *
 *   main.c        load, unload, the thread that polls, whose turn it is
 *   call.c        descriptor pages and the doorbell
 *   kernel.c      what is asked of the kernel by name, and may be missing
 *   table.c       probes by id, and the batches in which they are announced
 *   publish.c     fills the table: HELLO, symbols, types, files that come and go
 *   control.c     carries out the host's commands
 *   fire.c        a fire: fills the descriptor of this CPU and level, rings
 *   stack.c       kernel stacks
 *   sdt.c         the kernel's static probes, so most providers
 *
 * Locks: one, the turn (main.c). The tables are read and changed only by whose turn it is. The
 * firing path takes none; what it reads is either written once before the hook that leads there, or
 * a single word.
 */
#ifndef HYPERTRACE_H
#define HYPERTRACE_H

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/linker.h>
#include <sys/malloc.h>
#include <sys/lock.h>
#include <sys/mutex.h>
#include <sys/pcpu.h>
#include <sys/proc.h>
#include <sys/sdt.h>
#include <sys/smp.h>
#include <machine/atomic.h>
#include <machine/cpufunc.h>

#include "hypertrace_abi.h"

#ifndef __amd64__
#error "HyperTrace's guest module is for amd64"
#endif

#define	HT_LEVELS	(HT_LEVEL_HARDIRQ + 1)
#define	HT_ARGS		10

MALLOC_DECLARE(M_HYPERTRACE);

/* A word that the firing path reads while another thread writes it. */
#define	HT_READ(word)		(*(volatile __typeof(word) *)&(word))
#define	HT_WRITE(word, value)	(*(volatile __typeof(word) *)&(word) = (value))

/* The upper half of the address space is the kernel's, with four levels of page tables or five. */
#define	HT_IS_KERNEL(addr)	((intptr_t)(addr) < 0)

#define	ht_say(format, ...)	printf("hypertrace: " format "\n", ##__VA_ARGS__)

/* main.c */

int	ht_quiesce(void);
bool	ht_is_own(linker_file_t file);

/* call.c */

struct ht_page {
	struct ht_header header;
	uint8_t		body[HT_BODY_SIZE];
};

/*
 * One CPU's pages, by context level. A CPU is busy while it fires: what would fire on it meanwhile
 * is our own doing, a fault of it or an NMI, and is left out.
 */
struct ht_cpu {
	struct ht_page	*page[HT_LEVELS];
	uint32_t	frame[HT_LEVELS];
	uint32_t	busy;
	uint32_t	sequence;
	uint64_t	drops;
} __aligned(CACHE_LINE_SIZE);

extern struct ht_cpu *ht_cpus;
extern uint64_t ht_cookie;

int	ht_pages_alloc(void);
void	ht_pages_free(void);
uint32_t ht_ring(struct ht_page *page, uint32_t frame, uint16_t call, uint32_t length,
	    uint32_t sequence);
/* Calls by whose turn it is; the body is filled and read by the caller. */
void	*ht_body(void);
uint32_t ht_call(uint16_t call, uint32_t length);
uint64_t ht_drops(void);

/* kernel.c */

/* The kernel's own, NULL where it has none. */
struct ht_kernel {
	sdt_probe_func_t *sdt_probe_func;
	sdt_probe_func_t sdt_probe_stub;
	volatile bool	*sdt_probes_enabled;
	volatile bool	*lockstat_enabled;
#if __FreeBSD_version >= 1500000
	__typeof(sdt_tracepoint_valid) *sdt_tracepoint_valid;
	__typeof(sdt_tracepoint_patch) *sdt_tracepoint_patch;
	__typeof(sdt_tracepoint_restore) *sdt_tracepoint_restore;
#endif
};

extern struct ht_kernel ht_kernel;
void	ht_kernel_init(void);

/* table.c */

/* A probe as the firing path sees it. */
struct ht_probe {
	uint16_t	context;
	uint16_t	frames;
	uint8_t		kind;
	uint8_t		enabled;
	uint16_t	reserved;
	uint32_t	index;	/* in its provider's own table */
};

struct ht_description {
	uint8_t		kind;
	uint8_t		nargs;
	uint32_t	index;
	uintptr_t	address;
	const char	*provider;
	const char	*module;
	const char	*function;
	const char	*name;
	const char	*args;
};

extern uint32_t ht_probes;
struct ht_probe *ht_probe(uint32_t id);
uint32_t ht_probe_add(const struct ht_description *d);
int	ht_probe_flush(bool last);
void	ht_probe_remove(uint32_t first, uint32_t count);
int	ht_symbol_add(const char *name, const char *module, uintptr_t addr, size_t size, char kind);
int	ht_symbol_flush(bool last);
int	ht_table_init(uint32_t max_probes);
void	ht_table_clear(void);

/* publish.c */

extern uint32_t ht_interval;
int	ht_publish(void);
int	ht_unpublish(void);
void	ht_publish_files(void);
void	ht_forget_file(linker_file_t file);

/* control.c */

int	ht_poll(bool *more);
void	ht_disable_all(void);

/* fire.c */

struct ht_event {
	uint32_t	id;
	uint32_t	nargs;
	const uint64_t	*args;
	uintptr_t	ip;	/* the probe's place; 0 if in user mode */
	uintptr_t	sp;	/* there, 0 if unknown */
	uintptr_t	fp;	/* of the function in which it lies; 0 if unknown */
	uintptr_t	caller;	/* that called it, if its frame does not say; else 0 */
	int32_t		error;
};

void	ht_fire(const struct ht_event *event);
void	ht_drop(void);

/* stack.c */

uint32_t ht_stack(const struct ht_event *event, uint64_t *frames, uint32_t most);

/* Providers: publish, enable and disable one probe, forget a file's, forget all. */

void	ht_sdt_function(const char *name, uintptr_t addr, size_t size);
int	ht_sdt_publish(linker_file_t file, const char *module);
int	ht_sdt_set(uint32_t index, bool on);
void	ht_sdt_forget(linker_file_t file);
void	ht_sdt_exit(void);

#endif
