/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * D's standard probes and where a Linux kernel has them.
 * Written by `cargo xtask header` from vmm-shim/abi; change it there.
 */
#ifndef HYPERTRACE_PROBES_H
#define HYPERTRACE_PROBES_H

/* X(enumerator, kind, provider, name, function, arguments, their types) */
#define HT_STANDARD_PROBES(X) \
	X(HT_IO_DONE, HT_PROBE_KIND_IO, "io", "done", "bio_endio", 3, \
	  "struct bio * > bufinfo_t *, struct bio * > devinfo_t *, struct bio * > fileinfo_t *") \
	X(HT_IO_START, HT_PROBE_KIND_IO, "io", "start", "submit_bio_noacct", 3, \
	  "struct bio * > bufinfo_t *, struct bio * > devinfo_t *, struct bio * > fileinfo_t *") \
	X(HT_PROC_CREATE, HT_PROBE_KIND_PROC, "proc", "create", "kernel_clone", 1, \
	  "struct task_struct * > psinfo_t *") \
	X(HT_PROC_EXEC, HT_PROBE_KIND_PROC, "proc", "exec", "bprm_execve", 1, \
	  "char *") \
	X(HT_PROC_EXEC_FAILURE, HT_PROBE_KIND_PROC, "proc", "exec-failure", "bprm_execve", 1, \
	  "int") \
	X(HT_PROC_EXEC_SUCCESS, HT_PROBE_KIND_PROC, "proc", "exec-success", "exec_binprm", 1, \
	  "char *") \
	X(HT_PROC_EXIT, HT_PROBE_KIND_PROC, "proc", "exit", "do_exit", 1, \
	  "int") \
	X(HT_PROC_LWP_CREATE, HT_PROBE_KIND_PROC, "proc", "lwp-create", "kernel_clone", 2, \
	  "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *") \
	X(HT_PROC_LWP_EXIT, HT_PROBE_KIND_PROC, "proc", "lwp-exit", "do_exit", 1, \
	  "struct task_struct *") \
	X(HT_PROC_LWP_START, HT_PROBE_KIND_PROC, "proc", "lwp-start", "ret_from_fork", 0, \
	  "") \
	X(HT_PROC_SIGNAL_DISCARD, HT_PROBE_KIND_PROC, "proc", "signal-discard", "prepare_signal", 3, \
	  "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *, int") \
	X(HT_PROC_SIGNAL_HANDLE, HT_PROBE_KIND_PROC, "proc", "signal-handle", "get_signal", 1, \
	  "int") \
	X(HT_PROC_SIGNAL_SEND, HT_PROBE_KIND_PROC, "proc", "signal-send", "__send_signal_locked", 3, \
	  "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *, int") \
	X(HT_PROC_START, HT_PROBE_KIND_PROC, "proc", "start", "ret_from_fork", 0, \
	  "") \
	X(HT_SCHED_DEQUEUE, HT_PROBE_KIND_PROC, "sched", "dequeue", "__schedule", 3, \
	  "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *, struct task_struct * > cpuinfo_t *") \
	X(HT_SCHED_ENQUEUE, HT_PROBE_KIND_PROC, "sched", "enqueue", "ttwu_do_wakeup", 3, \
	  "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *, struct task_struct * > cpuinfo_t *") \
	X(HT_SCHED_OFF_CPU, HT_PROBE_KIND_PROC, "sched", "off-cpu", "__schedule", 2, \
	  "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *") \
	X(HT_SCHED_ON_CPU, HT_PROBE_KIND_PROC, "sched", "on-cpu", "__schedule", 0, \
	  "") \
	X(HT_SCHED_PREEMPT, HT_PROBE_KIND_PROC, "sched", "preempt", "__schedule", 0, \
	  "") \
	X(HT_SCHED_SLEEP, HT_PROBE_KIND_PROC, "sched", "sleep", "__schedule", 0, \
	  "") \
	X(HT_SCHED_WAKEUP, HT_PROBE_KIND_PROC, "sched", "wakeup", "try_to_wake_up", 2, \
	  "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *")

/* X(enumerator, TRACEPOINT, ENTRY, RETURN or SYSCALL_RETURN, its name), the best first */
#define HT_STANDARD_HOOKS(X) \
	X(HT_IO_DONE, TRACEPOINT, "block_rq_complete") \
	X(HT_IO_DONE, TRACEPOINT, "block_bio_complete") \
	X(HT_IO_DONE, ENTRY, "bio_endio") \
	X(HT_IO_START, TRACEPOINT, "block_bio_queue") \
	X(HT_PROC_CREATE, TRACEPOINT, "sched_process_fork") \
	X(HT_PROC_EXEC, TRACEPOINT, "sched_prepare_exec") \
	X(HT_PROC_EXEC, ENTRY, "bprm_execve") \
	X(HT_PROC_EXEC_FAILURE, RETURN, "bprm_execve") \
	X(HT_PROC_EXEC_FAILURE, SYSCALL_RETURN, "execve") \
	X(HT_PROC_EXEC_FAILURE, SYSCALL_RETURN, "execveat") \
	X(HT_PROC_EXEC_SUCCESS, TRACEPOINT, "sched_process_exec") \
	X(HT_PROC_EXIT, TRACEPOINT, "sched_process_exit") \
	X(HT_PROC_LWP_CREATE, TRACEPOINT, "sched_process_fork") \
	X(HT_PROC_LWP_EXIT, TRACEPOINT, "sched_process_exit") \
	X(HT_PROC_LWP_START, TRACEPOINT, "sched_wakeup_new") \
	X(HT_PROC_SIGNAL_DISCARD, TRACEPOINT, "signal_generate") \
	X(HT_PROC_SIGNAL_HANDLE, TRACEPOINT, "signal_deliver") \
	X(HT_PROC_SIGNAL_SEND, TRACEPOINT, "signal_generate") \
	X(HT_PROC_START, TRACEPOINT, "sched_wakeup_new") \
	X(HT_SCHED_DEQUEUE, TRACEPOINT, "sched_switch") \
	X(HT_SCHED_ENQUEUE, TRACEPOINT, "sched_wakeup") \
	X(HT_SCHED_ENQUEUE, TRACEPOINT, "sched_wakeup_new") \
	X(HT_SCHED_OFF_CPU, TRACEPOINT, "sched_switch") \
	X(HT_SCHED_ON_CPU, TRACEPOINT, "sched_switch") \
	X(HT_SCHED_PREEMPT, TRACEPOINT, "sched_switch") \
	X(HT_SCHED_SLEEP, TRACEPOINT, "sched_switch") \
	X(HT_SCHED_WAKEUP, TRACEPOINT, "sched_waking")

#endif /* HYPERTRACE_PROBES_H */
