/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks. Whoever finds one taken sleeps until any lock is let go and looks again: slow under
 * contention, but a thread that waits has given its CPU away, as in a kernel. Spin mutexes and
 * critical sections keep the CPU.
 */
#include "host.h"

#include <sys/sx.h>

static volatile uint32_t changes, waiters;

#if __FreeBSD_version >= 1500000
typedef const void *SYSINIT_ARG;
#else
typedef void *SYSINIT_ARG;
#endif

/* For the kernel's own lists: short, with interrupts off, since interrupts take them too. */
void
ht_spin_lock(volatile u_int *word)
{
	int before = ht_host_interrupts(0);

	while (atomic_cmpset_acq_int(word, 0, before + 1) == 0)
		cpu_spinwait();
}

void
ht_spin_unlock(volatile u_int *word)
{
	int before = *word - 1;

	atomic_store_rel_int(word, 0);
	ht_host_interrupts(before);
}

static void
let_go(void)
{
	atomic_add_rel_int(&changes, 1);
	if (atomic_load_acq_int(&waiters) != 0)
		ht_host_wake(&changes, INT_MAX);
}

static void
wait_while_at(uint32_t seen)
{
	atomic_add_int(&waiters, 1);
	ht_host_wait(&changes, seen, -1, ht_bound());
	atomic_subtract_int(&waiters, 1);
}

static void
may_block(const char *what)
{
	if (curthread->td_critnest != 0 || curthread->td_intr_nesting_level != 0)
		panic("%s in a critical section or an interrupt", what);
}

/* Mutexes. */

static void
lock_mtx(struct lock_object *lock, uintptr_t how __unused)
{
	mtx_lock((struct mtx *)lock);
}

static uintptr_t
unlock_mtx(struct lock_object *lock)
{
	mtx_unlock((struct mtx *)lock);
	return (0);
}

static void
lock_sx(struct lock_object *lock, uintptr_t how)
{
	if (how)
		sx_slock((struct sx *)lock);
	else
		sx_xlock((struct sx *)lock);
}

static uintptr_t
unlock_sx(struct lock_object *lock)
{
	struct sx *sx = (struct sx *)lock;
	bool shared = (sx->sx_lock & SX_LOCK_SHARED) != 0;

	if (shared)
		sx_sunlock(sx);
	else
		sx_xunlock(sx);
	return (shared);
}

struct lock_class lock_class_mtx_sleep = {
	.lc_name = "sleep mutex", .lc_lock = lock_mtx, .lc_unlock = unlock_mtx,
};
struct lock_class lock_class_mtx_spin = { .lc_name = "spin mutex" };
struct lock_class lock_class_sx = {
	.lc_name = "sx", .lc_lock = lock_sx, .lc_unlock = unlock_sx,
};
struct lock_class *lock_classes[LOCK_CLASS_MAX + 1] = {
	&lock_class_mtx_spin, &lock_class_mtx_sleep, &lock_class_sx,
};

static void
init(struct lock_object *lock, const char *name, u_int class)
{
	lock->lo_name = name;
	lock->lo_flags = class << LO_CLASSSHIFT | LO_INITIALIZED;
}

struct mtx Giant;

void
_mtx_init(volatile uintptr_t *c, const char *name, const char *type __unused, int opts)
{
	struct mtx *m = __containerof(c, struct mtx, mtx_lock);

	init(&m->lock_object, name, (opts & MTX_SPIN) != 0 ? 0 : 1);
	if ((opts & MTX_RECURSE) != 0)
		m->lock_object.lo_flags |= LO_RECURSABLE;
	m->mtx_lock = MTX_UNOWNED;
}

void
_mtx_destroy(volatile uintptr_t *c)
{
	struct mtx *m = __containerof(c, struct mtx, mtx_lock);

	if (m->mtx_lock != MTX_UNOWNED && m->mtx_lock != (uintptr_t)curthread)
		panic("mutex %s is destroyed while somebody has it", m->lock_object.lo_name);
	m->mtx_lock = MTX_DESTROYED;
}

void
mtx_sysinit(SYSINIT_ARG arg)
{
	const struct mtx_args *args = arg;

	mtx_init((struct mtx *)args->ma_mtx, args->ma_desc, NULL, args->ma_opts);
}

void
__mtx_lock_flags(volatile uintptr_t *c, int opts __unused, const char *file, int line)
{
	struct mtx *m = __containerof(c, struct mtx, mtx_lock);
	uint32_t seen;

	may_block("mtx_lock");
	if (m->mtx_lock == (uintptr_t)curthread) {
		if ((m->lock_object.lo_flags & LO_RECURSABLE) == 0)
			panic("mutex %s is taken twice, %s:%d", m->lock_object.lo_name, file, line);
		m->mtx_recurse++;
		return;
	}
	for (;;) {
		seen = atomic_load_acq_int(&changes);
		if (m->mtx_lock == MTX_DESTROYED)
			panic("mutex %s was destroyed", m->lock_object.lo_name);
		if (atomic_cmpset_acq_ptr(&m->mtx_lock, MTX_UNOWNED, (uintptr_t)curthread))
			return;
		wait_while_at(seen);
	}
}

int
_mtx_trylock_flags_(volatile uintptr_t *c, int opts __unused, const char *file __unused,
    int line __unused)
{
	return (atomic_cmpset_acq_ptr(c, MTX_UNOWNED, (uintptr_t)curthread));
}

void
__mtx_unlock_flags(volatile uintptr_t *c, int opts __unused, const char *file, int line)
{
	struct mtx *m = __containerof(c, struct mtx, mtx_lock);

	if (m->mtx_lock != (uintptr_t)curthread)
		panic("mutex %s is not ours, %s:%d", m->lock_object.lo_name, file, line);
	if (m->mtx_recurse > 0) {
		m->mtx_recurse--;
		return;
	}
	atomic_store_rel_ptr(&m->mtx_lock, MTX_UNOWNED);
	let_go();
}

void
__mtx_lock_spin_flags(volatile uintptr_t *c, int opts __unused, const char *file, int line)
{
	if (*c == (uintptr_t)curthread)
		panic("spin mutex taken twice, %s:%d", file, line);
	spinlock_enter();
	while (atomic_cmpset_acq_ptr(c, MTX_UNOWNED, (uintptr_t)curthread) == 0)
		cpu_spinwait();
}

void
__mtx_unlock_spin_flags(volatile uintptr_t *c, int opts __unused, const char *file __unused,
    int line __unused)
{
	atomic_store_rel_ptr(c, MTX_UNOWNED);
	spinlock_exit();
}

void
spinlock_enter(void)
{
	int before = ht_host_interrupts(0);

	if (curthread->td_md.md_spinlock_count++ == 0)
		curthread->td_md.md_saved_flags = before;
	curthread->td_critnest++;
}

void
spinlock_exit(void)
{
	int before = (int)curthread->td_md.md_saved_flags;

	curthread->td_critnest--;
	if (--curthread->td_md.md_spinlock_count == 0)
		ht_host_interrupts(before);
}

void
critical_enter_KBI(void)
{
	curthread->td_critnest++;
}

void
critical_exit_KBI(void)
{
	if (curthread->td_critnest-- == 0)
		panic("critical_exit without critical_enter");
}

/* sx locks. */

void
sx_init_flags(struct sx *sx, const char *name, int opts)
{
	init(&sx->lock_object, name, 2);
	if ((opts & SX_RECURSE) != 0)
		sx->lock_object.lo_flags |= LO_RECURSABLE;
	sx->sx_lock = SX_LOCK_UNLOCKED;
	sx->sx_recurse = 0;
}

void
sx_sysinit(SYSINIT_ARG arg)
{
	const struct sx_args *args = arg;

	sx_init_flags(args->sa_sx, args->sa_desc, args->sa_flags);
}

void
sx_destroy(struct sx *sx)
{
	if (sx->sx_lock != SX_LOCK_UNLOCKED)
		panic("sx lock %s is destroyed while somebody has it", sx->lock_object.lo_name);
	sx->sx_lock = SX_LOCK_DESTROYED;
}

int
sx_try_xlock_(struct sx *sx, const char *file __unused, int line __unused)
{
	return (atomic_cmpset_acq_ptr(&sx->sx_lock, SX_LOCK_UNLOCKED, (uintptr_t)curthread));
}

int
_sx_xlock(struct sx *sx, int opts __unused, const char *file, int line)
{
	uint32_t seen;

	may_block("sx_xlock");
	if (sx->sx_lock == (uintptr_t)curthread) {
		if ((sx->lock_object.lo_flags & LO_RECURSABLE) == 0)
			panic("sx lock %s is taken twice, %s:%d", sx->lock_object.lo_name, file,
			    line);
		sx->sx_recurse++;
		return (0);
	}
	for (;;) {
		seen = atomic_load_acq_int(&changes);
		if (sx_try_xlock_(sx, file, line))
			return (0);
		wait_while_at(seen);
	}
}

void
_sx_xunlock(struct sx *sx, const char *file, int line)
{
	if (sx->sx_lock != (uintptr_t)curthread)
		panic("sx lock %s is not ours, %s:%d", sx->lock_object.lo_name, file, line);
	if (sx->sx_recurse > 0) {
		sx->sx_recurse--;
		return;
	}
	atomic_store_rel_ptr(&sx->sx_lock, SX_LOCK_UNLOCKED);
	let_go();
}

int
sx_try_slock_(struct sx *sx, const char *file __unused, int line __unused)
{
	uintptr_t value = sx->sx_lock;

	return ((value & SX_LOCK_SHARED) != 0 &&
	    atomic_cmpset_acq_ptr(&sx->sx_lock, value, value + SX_ONE_SHARER));
}

int
_sx_slock(struct sx *sx, int opts __unused, const char *file, int line)
{
	uint32_t seen;

	may_block("sx_slock");
	for (;;) {
		seen = atomic_load_acq_int(&changes);
		if (sx_try_slock_(sx, file, line))
			return (0);
		if ((sx->sx_lock & SX_LOCK_SHARED) == 0)
			wait_while_at(seen);
	}
}

void
_sx_sunlock(struct sx *sx, const char *file __unused, int line __unused)
{
	atomic_subtract_rel_ptr(&sx->sx_lock, SX_ONE_SHARER);
	let_go();
}
