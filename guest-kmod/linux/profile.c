// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Provider profile: timers of the guest's own. `profile-N` fires N times a second on every CPU,
 * `tick-N` on one. arg0 is the kernel's program counter, arg1 the user's; one of them is 0.
 *
 * Timers run in hard interrupt context, pinned to their CPU, and follow CPUs that come and go.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/hrtimer.h>
#include <linux/smp.h>
#include <asm/irq_regs.h>

#include "hypertrace.h"
#include "hypertrace_rates.h"

struct timer {
	struct hrtimer timer;
	u32 rate;
	bool running;
};

struct timers {
	struct timer of[HT_RATES];
};

static DEFINE_PER_CPU(struct timers, timers);
static u32 ids[HT_RATES];
static bool wanted[HT_RATES];
static int hotplug_state = -1;

static enum hrtimer_restart on_timer(struct hrtimer *hrtimer)
{
	struct timer *timer = container_of(hrtimer, struct timer, timer);
	struct pt_regs *regs = get_irq_regs();
	u64 args[2] = { 0, 0 };
	struct ht_event event = {
		.id = ids[timer->rate],
		.args = args,
		.nargs = 2,
		.regs = regs,
		.stack = HT_STACK_REGS,
	};

	if (regs) {
		args[user_mode(regs) ? 1 : 0] = regs->ip;
		event.ip = user_mode(regs) ? 0 : regs->ip;
	}
	ht_fire(&event);
	hrtimer_forward_now(hrtimer, ns_to_ktime(ht_rates[timer->rate].period));
	return HRTIMER_RESTART;
}

/* Runs on the timer's CPU. */
static void start_here(void *data)
{
	u32 rate = (unsigned long)data;
	struct timer *timer = &this_cpu_ptr(&timers)->of[rate];

	if (timer->running)
		return;
	timer->running = true;
	timer->rate = rate;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&timer->timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
#else
	hrtimer_init(&timer->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer->timer.function = on_timer;
#endif
	hrtimer_start(&timer->timer, ns_to_ktime(ht_rates[rate].period), HRTIMER_MODE_REL_PINNED_HARD);
}

static void stop_on(int cpu, u32 rate)
{
	struct timer *timer = &per_cpu(timers, cpu).of[rate];

	if (!timer->running)
		return;
	hrtimer_cancel(&timer->timer);
	timer->running = false;
}

/* Ticks live on one CPU; where that goes offline, another takes over. */
static void start_tick(int except)
{
	u32 rate;

	for (rate = 0; rate < HT_RATES; rate++) {
		bool running = false;
		int cpu;

		if (!wanted[rate] || !ht_rate_is_tick(rate))
			continue;
		for_each_possible_cpu(cpu)
			running |= per_cpu(timers, cpu).of[rate].running;
		if (running)
			continue;
		for_each_online_cpu(cpu) {
			if (cpu == except)
				continue;
			smp_call_function_single(cpu, start_here, (void *)(unsigned long)rate, 1);
			break;
		}
	}
}

static int cpu_online_here(unsigned int cpu)
{
	unsigned long rate;

	for (rate = 0; rate < HT_RATES; rate++)
		if (wanted[rate] && !ht_rate_is_tick(rate))
			start_here((void *)rate);
	return 0;
}

static int cpu_offline_here(unsigned int cpu)
{
	u32 rate;

	for (rate = 0; rate < HT_RATES; rate++)
		stop_on(cpu, rate);
	start_tick(cpu);
	return 0;
}

int ht_profile_init(void)
{
	int state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hypertrace:profile", cpu_online_here,
				      cpu_offline_here);

	hotplug_state = state;
	return state < 0 ? state : 0;
}

int ht_profile_publish(void)
{
	u32 i;

	for (i = 0; i < HT_RATES; i++) {
		struct ht_description d = ht_rate_description(i);

		ids[i] = ht_probe_add(&d);
	}
	return 0;
}

int ht_profile_set(u32 rate, bool on)
{
	int cpu;

	cpus_read_lock();
	wanted[rate] = on;
	if (!on) {
		for_each_possible_cpu(cpu)
			stop_on(cpu, rate);
	} else if (ht_rate_is_tick(rate)) {
		start_tick(-1);
	} else {
		on_each_cpu(start_here, (void *)(unsigned long)rate, 1);
	}
	cpus_read_unlock();
	return 0;
}

void ht_profile_exit(void)
{
	u32 rate;

	for (rate = 0; rate < HT_RATES; rate++)
		ht_profile_set(rate, false);
	if (hotplug_state >= 0)
		cpuhp_remove_state(hotplug_state);
	hotplug_state = -1;
}
