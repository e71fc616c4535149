/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the module's files share.
 *
 *   main.c        load, unload, the thread that polls, whose turn it is
 *   call.c        descriptor pages and the doorbell
 *   kernel.c      what is asked of the kernel by name, and may be missing
 *   chunks.c      arrays that grow in place
 *   table.c       probes by id, and the batches in which they are announced
 *   publish.c     fills the table: HELLO, files that come and go
 *   types.c       a file's types and symbols
 *   control.c     carries out the host's commands
 *   fire.c        a fire: fills the descriptor of this CPU and level, rings
 *   stack.c       kernel stacks
 *   clock.c       time on the firing path
 *   act.c         what a fire's answer asks for (destructive actions)
 *   insn.c        lengths of instructions
 *   sdt.c fbt.c syscall.c profile.c   the providers; sdt.c's are most
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
#include <sys/sysent.h>
#include <sys/dtrace_bsd.h>
#include <machine/atomic.h>
#include <machine/cpufunc.h>

#include "hypertrace_abi.h"
#include "hypertrace_entry.h"

#ifndef __amd64__
#error "HyperTrace's guest module is for amd64"
#endif

#define	HT_LEVELS	(HT_LEVEL_HARDIRQ + 1)
#define	HT_ARGS		10

MALLOC_DECLARE(M_HYPERTRACE);

/* A word that the firing path reads while another thread writes it. */
#define	HT_READ(word)		(*(volatile __typeof(word) *)&(word))
#define	HT_WRITE(word, value)	(*(volatile __typeof(word) *)&(word) = (value))

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
	int		signal;		/* to be sent, 0 for none; see act.c */
	pid_t		signalled;
} __aligned(CACHE_LINE_SIZE);

extern struct ht_cpu *ht_cpus;
extern uint64_t ht_cookie;

void	ht_pages_alloc(void);
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
	systrace_probe_func_t *systrace_probe_func;
	bool		*systrace_enabled;
	dtrace_trap_func_t *dtrace_trap_func;
#if __FreeBSD_version >= 1500000
	__typeof(sdt_tracepoint_valid) *sdt_tracepoint_valid;
	__typeof(sdt_tracepoint_patch) *sdt_tracepoint_patch;
	__typeof(sdt_tracepoint_restore) *sdt_tracepoint_restore;
#endif
};

extern struct ht_kernel ht_kernel;
void	ht_kernel_init(void);
/* What a file may have; NULL if it has not. */
void	*ht_lookup(linker_file_t file, const char *name);

/* act.c */

struct ht_fire_reply;

/* Whether scripts may stop, signal and change what runs here. Only whoever boots us can say so. */
extern bool ht_destructive;
void	ht_act_init(void);
void	ht_act(struct ht_cpu *cpu, const struct ht_fire_reply *reply);
void	ht_act_send(void);

/* clock.c */

void	ht_clock_init(void);
uint64_t ht_now(void);
bool	ht_thread_time(uint64_t *ns);

/* chunks.c */

#define	HT_CHUNK	4096
#define	HT_CHUNKS	(HT_MAX_PROBES / HT_CHUNK)

struct ht_chunks {
	size_t		size;	/* of an element */
	uint32_t	count;
	uint8_t		*chunks[HT_CHUNKS];
};

void	*ht_chunks_next(struct ht_chunks *a);
void	ht_chunks_take(struct ht_chunks *a);
void	ht_chunks_free(struct ht_chunks *a);

static inline void *
ht_chunks_at(const struct ht_chunks *a, uint32_t index)
{
	return (a->chunks[index / HT_CHUNK] + index % HT_CHUNK * a->size);
}

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

uint32_t ht_probes(void);
struct ht_probe *ht_probe(uint32_t id);
uint32_t ht_probe_add(const struct ht_description *d);
int	ht_probe_flush(bool last);
void	ht_probe_remove(uint32_t first, uint32_t count);
int	ht_symbol_add(const char *name, const char *module, uintptr_t addr, size_t size, char kind);
int	ht_symbol_flush(bool last);
void	ht_table_init(uint32_t max_probes);
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
/* A probe is no more: disabled, and announced as gone when a run of such ends. */
void	ht_probe_gone(uint32_t id);
void	ht_probes_gone(void);

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

/*
 * Field by field, since an initialiser may become a call. `frame` is that of our own function that
 * the probe's site called; NULL if something else says where the probe is.
 */
static inline void
ht_event_init(struct ht_event *event, const uint64_t *args, const uintptr_t *frame)
{
	event->id = 0;
	event->nargs = 0;
	event->args = args;
	event->ip = frame != NULL ? frame[1] : 0;
	event->sp = (uintptr_t)(frame != NULL ? frame + 2 : NULL);
	event->fp = frame != NULL ? frame[0] : 0;
	event->caller = 0;
	event->error = 0;
}

void	ht_fire(const struct ht_event *event);
void	ht_drop(void);

/* stack.c */

uint32_t ht_stack(const struct ht_event *event, uint64_t *frames, uint32_t most);

/* types.c */

int	ht_types_publish(linker_file_t file, const char *module, bool *complete);
/* Of the file that was published last; false if its symbols are not known. */
bool	ht_types_is_ifunc(const char *name);

/*
 * Providers: publish; enable or disable one probe; forget a file's; let the hook go, when nothing is
 * enabled; forget all, when no CPU is inside the hook.
 */

void	ht_sdt_function(const char *name, uintptr_t addr, size_t size);
void	ht_sdt_publish(linker_file_t file, const char *module);
int	ht_sdt_set(uint32_t index, bool on);
void	ht_sdt_forget(linker_file_t file);
void	ht_sdt_unhook(void);
void	ht_sdt_exit(void);

void	ht_fbt_add(const char *name, linker_file_t file, const char *module, uintptr_t addr,
	    size_t size);
int	ht_fbt_set(uint32_t index, uint8_t kind, bool on);
uint32_t ht_fbt_commit(void);
void	ht_fbt_forget(linker_file_t file);
void	ht_fbt_unhook(void);
void	ht_fbt_exit(void);

void	ht_syscall_publish(linker_file_t file);
int	ht_syscall_set(uint32_t index, uint8_t kind, bool on);
void	ht_syscall_forget(linker_file_t file);
void	ht_syscall_unhook(void);
void	ht_syscall_exit(void);

void	ht_profile_publish(void);
int	ht_profile_set(uint32_t rate, bool on);

#endif
