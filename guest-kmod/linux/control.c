// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * The host's commands: a POLL brings runs of probes to instrument or to restore, and the next
 * POLL says what became of them.
 *
 * A reply's commands are carried out together: flags first, then each provider instruments what
 * changed, so that a run of ten thousand functions is one change of the kernel's text.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "hypertrace.h"

static u32 acknowledged;
static u32 failed;

/* Instruments or restores one probe; functions wait for ht_fbt_commit(). */
static int set(u32 id, struct ht_probe *probe, bool on)
{
	switch (probe->kind) {
	case HT_PROBE_KIND_FBT_ENTRY:
	case HT_PROBE_KIND_FBT_RETURN:
		ht_fbt_dirty();
		return 0;
	case HT_PROBE_KIND_SYSCALL_ENTRY:
	case HT_PROBE_KIND_SYSCALL_RETURN:
		return ht_syscall_set(id, on);
	case HT_PROBE_KIND_SDT:
		return ht_sdt_set(probe->index, on);
	case HT_PROBE_KIND_PROC:
	case HT_PROBE_KIND_IO:
		return ht_standard_set(probe->index, on);
	case HT_PROBE_KIND_PROFILE:
	case HT_PROBE_KIND_TICK:
		return ht_profile_set(probe->index, on);
	default:
		return -ENOENT;
	}
}

static bool enable(u32 id, const struct ht_command *command)
{
	struct ht_probe *probe = ht_probe(id);
	bool was;

	if (!probe || probe->kind == HT_PROBE_KIND_OTHER)
		return false;
	was = probe->enabled;
	WRITE_ONCE(probe->context, command->context);
	WRITE_ONCE(probe->frames, min_t(u32, command->arg, HT_MAX_STACK));
	smp_store_release(&probe->enabled, 1);
	if (!was && set(id, probe, true)) {
		WRITE_ONCE(probe->enabled, 0);
		return false;
	}
	return true;
}

static void disable(u32 id)
{
	struct ht_probe *probe = ht_probe(id);

	if (!probe || !probe->enabled)
		return;
	WRITE_ONCE(probe->enabled, 0);
	set(id, probe, false);
}

void ht_disable_all(void)
{
	u32 id;

	for (id = 1; id <= ht_probes; id++)
		disable(id);
	ht_fbt_commit();
}

static void carry_out(const struct ht_command *command)
{
	u32 id = command->first_probe;
	/* The host is trusted, but a run must end. */
	u32 count = min(command->nprobes, ht_probes);

	if (command->op == HT_OP_DISABLE_ALL) {
		ht_disable_all();
		return;
	}
	for (; count; count--, id++) {
		if (command->op != HT_OP_ENABLE)
			disable(id);
		else if (!enable(id, command))
			failed++;
		cond_resched();
	}
}

/* Asks for commands and carries them out; -EAGAIN if the host does not know us any more. */
int ht_poll(bool *more)
{
	struct ht_poll *body = ht_body();
	struct ht_poll_reply *reply = ht_body();
	struct ht_command *commands;
	u32 status, count;

	lockdep_assert_held(&ht_lock);
	body->ack = acknowledged;
	body->failed = failed;
	body->drops = ht_drops();
	status = ht_call(HT_CALL_POLL, sizeof(*body));
	if (status == HT_STATUS_NOT_READY || status == HT_STATUS_UNANSWERED)
		return -EAGAIN;
	if (status)
		return 0;
	ht_interval = clamp_t(u32, reply->interval_ms, 1, 10000);
	*more = reply->flags & HT_POLL_FLAGS_MORE;
	count = min_t(u32, reply->count, HT_MAX_COMMANDS);
	failed = 0;
	if (count) {
		u32 i, sequence = reply->seq;

		/* The body is the page that other calls use meanwhile. */
		commands = kmemdup(reply + 1, count * sizeof(*commands), GFP_KERNEL);
		if (!commands)
			return 0;
		for (i = 0; i < count; i++)
			carry_out(&commands[i]);
		kfree(commands);
		/* Of a long row of commands only the end changes the text. */
		if (!*more && ht_fbt_commit())
			failed++;
		acknowledged = sequence;
		*more = true;
	} else {
		acknowledged = reply->seq;
	}
	return 0;
}
