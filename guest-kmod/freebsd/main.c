/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HyperTrace's guest module for FreeBSD.
 *
 *             nobody listens: again a second later
 *               ┌────┐
 *   kldload ──▶ hello ──▶ publish ──▶ poll ⟲ ──▶ kldunload: restore, GOODBYE
 *               ▲                      │
 *               └── forgotten by the host
 *
 * One thread says HELLO, announces what can be traced, and then polls for what to instrument.
 * Until the host asks for a probe, nothing in the kernel is changed.
 *
 * Whose turn it is. The thread and the linker's events change the same tables, and an event comes
 * with the linker's lock held. So a lock of ours would be taken after the linker's by events and
 * before it by a thread that asks the linker for files. Instead there are turns: in a *long* turn
 * the thread may ask the linker, and an event that finds one refuses what it was about (EBUSY)
 * rather than wait; in a *short* turn nobody asks the linker, and events wait for its end.
 */
#include "hypertrace.h"

#include <sys/eventhandler.h>
#include <sys/kthread.h>
#include <sys/module.h>

/* How long between two attempts while nobody listens. */
#define	RETRY_MS	1000

MALLOC_DEFINE(M_HYPERTRACE, "hypertrace", "HyperTrace guest");

static enum { NOBODY, SHORT, LONG } turn;
static struct mtx lock;		/* for what follows */
static struct thread *poller;
static bool stopping;
static bool files_pending;
static bool published;		/* by whose turn it is */
static eventhandler_tag load_tag, unload_tag;

/* Turns. */

/* The thread's way to a turn; false if it shall end. */
static bool
turn_begin(int kind)
{
	bool go;

	mtx_lock(&lock);
	while (turn != NOBODY)
		mtx_sleep(&turn, &lock, 0, "htturn", 0);
	go = !stopping;
	if (go)
		turn = kind;
	mtx_unlock(&lock);
	return (go);
}

/* An event's way to a short turn; false if a long one is under way. */
static bool
turn_try(void)
{
	bool go;

	mtx_lock(&lock);
	while (turn == SHORT)
		mtx_sleep(&turn, &lock, 0, "htturn", 0);
	go = turn == NOBODY;
	if (go)
		turn = SHORT;
	mtx_unlock(&lock);
	return (go);
}

static void
turn_end(void)
{
	mtx_lock(&lock);
	turn = NOBODY;
	wakeup(&turn);
	mtx_unlock(&lock);
}

/* The thread. */

static void
nothing(void *arg __unused)
{
}

/*
 * Waits until no CPU is inside a hook that was let go: each answers an interrupt, so that none is
 * firing, and then has been idle once, so that none has a thread that was preempted on the way.
 */
int
ht_quiesce(void)
{
	smp_rendezvous(NULL, nothing, NULL, NULL);
	return (quiesce_all_cpus("htsync", PCATCH));
}

static uint32_t
take_long_turn(void)
{
	if (!turn_begin(LONG))
		return (0);
	HT_WRITE(files_pending, false);
	if (!published)
		published = ht_publish() == 0;
	else
		ht_publish_files();
	turn_end();
	return (published ? 0 : RETRY_MS);
}

static uint32_t
take_short_turn(void)
{
	bool more = false;

	if (!turn_begin(SHORT))
		return (0);
	ht_act_send();
	if (ht_poll(&more) != 0)
		published = ht_unpublish() != 0;
	turn_end();
	if (!published)
		return (RETRY_MS);
	return (more ? 0 : ht_interval);
}

/* One round; how many milliseconds to rest after it. */
static uint32_t
take_turn(void)
{
	/* Files are read for their types; loaded by the boot loader, we are here before any can. */
	if (!root_mounted())
		return (RETRY_MS);
	if (!published || HT_READ(files_pending))
		return (take_long_turn());
	return (take_short_turn());
}

static void
poll(void *arg __unused)
{
	uint32_t ms;

	do {
		ms = take_turn();
		mtx_lock(&lock);
		if (ms != 0 && !stopping && !(published && files_pending))
			msleep_sbt(&stopping, &lock, 0, "htpoll", ms * SBT_1MS, 0, 0);
		if (stopping)
			break;
		mtx_unlock(&lock);
	} while (true);
	/* stop() sleeps on us since before it let go of the lock: it is woken by our exit. */
	mtx_unlock(&lock);
	kthread_exit();
}

static int
start(void)
{
	stopping = false;
	return (kthread_add(poll, NULL, NULL, &poller, 0, 0, "hypertrace"));
}

/* Ends the thread; EBUSY if it may be about to ask the linker, whose lock our caller holds. */
static int
stop(void)
{
	mtx_lock(&lock);
	if (turn == LONG) {
		mtx_unlock(&lock);
		return (EBUSY);
	}
	stopping = true;
	wakeup(&stopping);
	mtx_sleep(poller, &lock, 0, "htstop", 0);
	mtx_unlock(&lock);
	return (0);
}

/* The linker's events. */

static int modevent(module_t module, int what, void *arg);

bool
ht_is_own(linker_file_t file)
{
	/* The kernel's own file reaches to the end of memory, as the linker tells it. */
	return (file != linker_kernel_file &&
	    (uintptr_t)modevent - (uintptr_t)file->address < file->size);
}

static void
on_load(void *arg __unused, linker_file_t file __unused)
{
	mtx_lock(&lock);
	files_pending = true;
	wakeup(&stopping);
	mtx_unlock(&lock);
}

static void
on_unload_try(void *arg __unused, linker_file_t file, int *error)
{
	if (*error != 0 || ht_is_own(file))
		return;
	if (!turn_try()) {
		*error = EBUSY;
		return;
	}
	if (published)
		ht_forget_file(file);
	turn_end();
	/* Somebody else may refuse: then it is announced again. */
	on_load(NULL, file);
}

/* Load and unload. */

static void
let_go(void)
{
	EVENTHANDLER_DEREGISTER(kld_load, load_tag);
	EVENTHANDLER_DEREGISTER(kld_unload_try, unload_tag);
	ht_pages_free();
	mtx_destroy(&lock);
}

static int
load(void)
{
	int error;

	mtx_init(&lock, "hypertrace", NULL, MTX_DEF);
	ht_kernel_init();
	ht_act_init();
	ht_pages_alloc();
	load_tag = EVENTHANDLER_REGISTER(kld_load, on_load, NULL, EVENTHANDLER_PRI_ANY);
	unload_tag = EVENTHANDLER_REGISTER(kld_unload_try, on_unload_try, NULL,
	    EVENTHANDLER_PRI_ANY);
	error = start();
	if (error != 0)
		let_go();
	return (error);
}

static int
unload(void)
{
	int error;

	error = stop();
	if (error != 0)
		return (error);
	error = published ? ht_unpublish() : 0;
	published = error != 0;
	if (error != 0) {
		/* A signal broke the wait: what is restored stays so until the host asks again. */
		start();
		return (error);
	}
	let_go();
	return (0);
}

static int
modevent(module_t module __unused, int what, void *arg __unused)
{
	switch (what) {
	case MOD_LOAD:
		return (load());
	case MOD_UNLOAD:
		return (unload());
	case MOD_QUIESCE:
	case MOD_SHUTDOWN:
		return (0);
	default:
		return (EOPNOTSUPP);
	}
}

static moduledata_t data = { "hypertrace_guest", modevent, NULL };
DECLARE_MODULE(hypertrace_guest, data, SI_SUB_DRIVERS, SI_ORDER_ANY);
MODULE_VERSION(hypertrace_guest, 1);
/*
 * DTrace and we would take the same hooks, and neither looks whether they are taken: its ids in our
 * hands, or ours in its, are addresses of nothing. So we stand in the place of its interface: while
 * one of us is loaded, the linker refuses the other.
 */
MODULE_VERSION(dtrace, 1);
