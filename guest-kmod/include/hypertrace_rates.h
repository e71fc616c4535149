/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The timers that every guest announces: `profile-N` fires N times a second on every CPU, `tick-N`
 * on one. A fixed set, since the host can enable only what was announced. After hypertrace_entry.h.
 */
#ifndef HYPERTRACE_RATES_H
#define HYPERTRACE_RATES_H

#define HT_SECOND 1000000000ull

static const struct ht_rate {
	const char *name;
	uint64_t period; /* in nanoseconds */
} ht_rates[] = {
	{ "profile-49", HT_SECOND / 49 },     { "profile-97", HT_SECOND / 97 },
	{ "profile-99", HT_SECOND / 99 },     { "profile-100", HT_SECOND / 100 },
	{ "profile-199", HT_SECOND / 199 },   { "profile-499", HT_SECOND / 499 },
	{ "profile-997", HT_SECOND / 997 },   { "profile-999", HT_SECOND / 999 },
	{ "profile-1001", HT_SECOND / 1001 }, { "profile-1ms", HT_SECOND / 1000 },
	{ "profile-10ms", HT_SECOND / 100 },  { "profile-100ms", HT_SECOND / 10 },
	{ "profile-1s", HT_SECOND },          { "tick-1ms", HT_SECOND / 1000 },
	{ "tick-10ms", HT_SECOND / 100 },     { "tick-100ms", HT_SECOND / 10 },
	{ "tick-1s", HT_SECOND },             { "tick-5s", 5 * HT_SECOND },
	{ "tick-10s", 10 * HT_SECOND },       { "tick-60s", 60 * HT_SECOND },
};

#define HT_RATES (sizeof(ht_rates) / sizeof(ht_rates[0]))

static inline _Bool ht_rate_is_tick(uint32_t rate)
{
	return ht_rates[rate].name[0] == 't';
}

static inline struct ht_description ht_rate_description(uint32_t rate)
{
	return (struct ht_description){
		.kind = ht_rate_is_tick(rate) ? HT_PROBE_KIND_TICK : HT_PROBE_KIND_PROFILE,
		.nargs = 2,
		.index = rate,
		.provider = "profile",
		.module = "",
		.function = "",
		.name = ht_rates[rate].name,
		.args = "unsigned long, unsigned long",
	};
}

#endif
