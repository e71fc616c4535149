/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stand-in kernel: what its files share, and what lies between it and the process it runs in
 * (src/guest/host.rs has the same structs).
 *
 *   machine.c   CPUs, vectors, traps, interrupts, boot
 *   thread.c    threads and processes, sleeping
 *   lock.c      mutexes, sx locks, critical sections
 *   callout.c   callouts, in interrupts and in threads
 *   memory.c    the heap, and the little of libkern that is needed
 *   console.c   printf
 *   linker.c    files, symbols, sets, modules, types
 *   event.c     event handlers
 *   probes.c    SDT's and systrace's kernel sides, and code with probes in it to run
 */
#ifndef HT_STANDIN_H
#define HT_STANDIN_H

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/limits.h>
#include <sys/lock.h>
#include <sys/malloc.h>
#include <sys/mutex.h>
#include <sys/pcpu.h>
#include <sys/proc.h>
#include <sys/smp.h>
#include <machine/frame.h>
#include <machine/stdarg.h>

struct ht_boot {
	int		cpus;
	int		pad;
	uint64_t	kernel_root;
	uint64_t	user_root;
	uint64_t	user_page;
	uint64_t	user_address;
	uint64_t	heap;
	uint64_t	heap_end;
	uint64_t	base;
	uint64_t	stack;		/* the first thread's */
	uint64_t	stack_pages;
	char		vendor[16];
};

struct ht_set {
	const char	*name;
	void		*start;
	void		*stop;
};

struct ht_file {
	const char	*name;
	caddr_t		base;
	size_t		size;
	const void	*symtab;
	size_t		nsym;
	const char	*strtab;
	size_t		strcnt;
	const struct ht_set *sets;
	size_t		nsets;
	const uint8_t	*ctf;
	size_t		ctf_size;
};

/* A thread: the kernel's own struct, and what the process needs. */
struct ht_thread {
	struct thread	td;
	uint64_t	saved;	/* its stack pointer where it was entered */
	int		bound;	/* to this CPU, or -1 */
};

extern struct ht_boot ht_boot;

/* The process. */
typedef void ht_enter_t(void (*)(void *), void *, uint64_t *);
void	ht_host_write(const char *, size_t);
void	ht_host_abort(const char *) __dead2;
uint64_t ht_host_now(void);
int	ht_host_thread(ht_enter_t *, void (*)(void *), void *, struct thread *, uint64_t *,
	    void *, size_t);
int	ht_host_wait(const volatile uint32_t *, uint32_t, int64_t, int);
void	ht_host_wake(const volatile uint32_t *, int);
void	ht_host_yield(int);
int	ht_host_interrupts(int);
void	ht_host_idle(int, void (*)(int));
void	ht_host_tick(int, int);

/* machine.c */
int	ht_bound(void);
void	ht_rendezvous_poll(void);

/* thread.c */
void	ht_thread_enter(void (*)(void *), void *, uint64_t *);
void	ht_thread_leave(uint64_t) __dead2;
void	ht_wait(const volatile uint32_t *, uint32_t, int64_t);
void	ht_thread_init(void);
struct proc *ht_proc_new(const char *name, struct proc *parent, struct ucred *cred);
struct thread *ht_spawn(struct proc *, const char *name, void (*)(void *), void *);

/* lock.c: a word that changes whenever a lock is let go. */
void	ht_spin_lock(volatile u_int *);
void	ht_spin_unlock(volatile u_int *);

/* callout.c */
void	ht_callout_init(void);
void	ht_callout_tick(int cpu);

/* memory.c */
void	ht_memory_init(void);

/* linker.c */
void	ht_linker_init(void);

#endif
