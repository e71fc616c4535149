/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's commands: a POLL brings runs of probes to instrument or to restore, and the next
 * POLL says what became of them. A reply's commands are carried out together: flags first, then
 * functions' text in one pass.
 */
#include "hypertrace.h"

static uint32_t acknowledged;
static uint32_t failed;

/* Probes that are gone and not announced as such yet: a run of ids. */
static uint32_t gone_first, gone_count;

/* Instruments or restores one probe; functions wait for ht_fbt_commit(). */
static int
set(struct ht_probe *probe, bool on)
{
	switch (probe->kind) {
	case HT_PROBE_KIND_FBT_ENTRY:
	case HT_PROBE_KIND_FBT_RETURN:
		return (ht_fbt_set(probe->index, probe->kind, on));
	case HT_PROBE_KIND_SYSCALL_ENTRY:
	case HT_PROBE_KIND_SYSCALL_RETURN:
		return (ht_syscall_set(probe->index, probe->kind, on));
	case HT_PROBE_KIND_SDT:
		return (ht_sdt_set(probe->index, on));
	case HT_PROBE_KIND_PROFILE:
	case HT_PROBE_KIND_TICK:
		return (ht_profile_set(probe->index, on));
	default:
		return (ENOENT);
	}
}

static bool
enable(uint32_t id, const struct ht_command *command)
{
	struct ht_probe *probe = ht_probe(id);
	bool was;

	if (probe == NULL || probe->kind == HT_PROBE_KIND_OTHER)
		return (false);
	was = probe->enabled;
	HT_WRITE(probe->context, command->context);
	HT_WRITE(probe->frames, MIN(command->arg, HT_MAX_STACK));
	atomic_thread_fence_rel();
	HT_WRITE(probe->enabled, 1);
	if (!was && set(probe, true) != 0) {
		HT_WRITE(probe->enabled, 0);
		return (false);
	}
	return (true);
}

static void
disable(uint32_t id)
{
	struct ht_probe *probe = ht_probe(id);

	if (probe == NULL || !probe->enabled)
		return;
	HT_WRITE(probe->enabled, 0);
	set(probe, false);
}

void
ht_disable_all(void)
{
	uint32_t id;

	for (id = 1; id <= ht_probes(); id++)
		disable(id);
	ht_fbt_commit();
}

void
ht_probes_gone(void)
{
	if (gone_count != 0)
		ht_probe_remove(gone_first, gone_count);
	gone_count = 0;
}

void
ht_probe_gone(uint32_t id)
{
	if (id == 0)
		return;
	disable(id);
	if (gone_count != 0 && id != gone_first + gone_count)
		ht_probes_gone();
	if (gone_count++ == 0)
		gone_first = id;
}

static void
carry_out(const struct ht_command *command)
{
	uint32_t id = command->first_probe;
	/* The host is trusted, but a run must end. */
	uint32_t count = MIN(command->nprobes, ht_probes());

	if (command->op == HT_OP_DISABLE_ALL) {
		ht_disable_all();
		return;
	}
	for (; count != 0; count--, id++) {
		if (command->op != HT_OP_ENABLE)
			disable(id);
		else if (!enable(id, command))
			failed++;
	}
}

/* Carries out what the reply in the body asks for; the body serves other calls meanwhile. */
static void
carry_out_all(const struct ht_poll_reply *reply, uint32_t count)
{
	struct ht_command *commands;
	uint32_t i;

	commands = malloc(count * sizeof(*commands), M_HYPERTRACE, M_WAITOK);
	memcpy(commands, reply + 1, count * sizeof(*commands));
	for (i = 0; i < count; i++)
		carry_out(&commands[i]);
	failed += ht_fbt_commit();
	free(commands, M_HYPERTRACE);
}

/* Asks for commands and carries them out; EAGAIN if the host does not know us any more. */
int
ht_poll(bool *more)
{
	struct ht_poll *body = ht_body();
	struct ht_poll_reply *reply = ht_body();
	uint32_t status, count, sequence;

	body->ack = acknowledged;
	body->failed = failed;
	body->drops = ht_drops();
	status = ht_call(HT_CALL_POLL, sizeof(*body));
	if (status == HT_STATUS_NOT_READY || status == HT_STATUS_UNANSWERED)
		return (EAGAIN);
	if (status != HT_STATUS_OK)
		return (0);
	ht_interval = MAX(1, MIN(reply->interval_ms, 10000));
	*more = (reply->flags & HT_POLL_FLAGS_MORE) != 0;
	count = MIN(reply->count, HT_MAX_COMMANDS);
	sequence = reply->seq;
	failed = 0;
	if (count != 0) {
		carry_out_all(reply, count);
		*more = true;
	}
	acknowledged = sequence;
	return (0);
}
