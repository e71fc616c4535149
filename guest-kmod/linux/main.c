// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * HyperTrace's guest module for Linux.
 *
 *            nobody listens: again a second later
 *              ┌────┐
 *   insmod ──▶ hello ──▶ publish ──▶ poll ⟲ ──▶ rmmod: restore, GOODBYE
 *              ▲                      │
 *              └── forgotten by the host
 *
 * One thread says HELLO, announces what can be traced, and then polls for what to instrument.
 * Until the host asks for a probe, nothing in the kernel is changed.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/wait.h>

#include "hypertrace.h"

/* How long between two attempts while nobody listens. */
#define RETRY_MS 1000

static unsigned int poll_ms;
module_param(poll_ms, uint, 0444);
MODULE_PARM_DESC(poll_ms, "milliseconds between two polls (0: as the host says)");

/* Whether scripts may stop, signal and change what runs here. Only whoever loads us can say so. */
bool ht_destructive;
module_param_named(destructive, ht_destructive, bool, 0444);
MODULE_PARM_DESC(destructive, "permit destructive actions of D scripts (default: no)");

static struct task_struct *thread;
static DECLARE_WAIT_QUEUE_HEAD(wake);
static DECLARE_COMPLETION(first_attempt);
static bool published;

static void rest(u32 ms)
{
	wait_event_interruptible_timeout(wake, kthread_should_stop() || READ_ONCE(ht_modules_pending),
					 msecs_to_jiffies(ms) ?: 1);
}

/* One round; how long to rest after it. */
static u32 take_turn(void)
{
	bool more = false;
	u32 ms;

	mutex_lock(&ht_lock);
	if (!published) {
		WRITE_ONCE(ht_modules_pending, false);
		published = !ht_publish();
	} else if (ht_poll(&more)) {
		ht_unpublish();
		published = false;
	} else if (READ_ONCE(ht_modules_pending)) {
		ht_publish_modules();
	}
	ms = more ? 0 : poll_ms ?: ht_interval;
	if (!published)
		ms = RETRY_MS;
	mutex_unlock(&ht_lock);
	return ms;
}

static int run(void *data)
{
	while (!kthread_should_stop()) {
		u32 ms = take_turn();

		complete_all(&first_attempt);
		if (ms)
			rest(ms);
		else
			cond_resched();
	}
	return 0;
}

static void restore(void)
{
	mutex_lock(&ht_lock);
	if (published)
		ht_unpublish();
	published = false;
	mutex_unlock(&ht_lock);
}

static int __init hypertrace_init(void)
{
	int error = ht_kernel_init();

	if (!error)
		error = ht_pages_alloc();
	if (!error)
		error = ht_stack_init();
	if (error)
		goto pages;
	error = ht_profile_init();
	if (error)
		goto pages;
	ht_act_init();
	error = ht_trap_init();
	if (error)
		goto profile;
	error = ht_modules_init();
	if (error)
		goto trap;
	thread = kthread_run(run, NULL, "hypertrace");
	if (IS_ERR(thread)) {
		error = PTR_ERR(thread);
		goto modules;
	}
	/* So that whoever loads us finds the probes announced. */
	wait_for_completion_timeout(&first_attempt, 60 * HZ);
	if (!published)
		pr_info("hypertrace: no host listens yet\n");
	return 0;

modules:
	ht_modules_exit();
trap:
	ht_trap_exit();
profile:
	ht_profile_exit();
pages:
	ht_pages_free();
	return error;
}

static void __exit hypertrace_exit(void)
{
	kthread_stop(thread);
	ht_modules_exit();
	restore();
	ht_trap_exit();
	ht_profile_exit();
	tracepoint_synchronize_unregister();
	ht_act_exit();
	ht_pages_free();
}

module_init(hypertrace_init);
module_exit(hypertrace_exit);
MODULE_DESCRIPTION("HyperTrace guest instrumentation");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_VERSION("0.1.0");
