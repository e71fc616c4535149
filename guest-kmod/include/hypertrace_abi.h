/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The hypercall descriptor and its calls.
 * Written by `cargo xtask header` from vmm-shim/abi; change it there.
 */
#ifndef HYPERTRACE_ABI_H
#define HYPERTRACE_ABI_H

#ifdef __linux__
#include <linux/types.h>
#include <linux/stddef.h>
#include <linux/build_bug.h>
#else
#include <sys/types.h>
#include <sys/stddef.h>
#endif

#define HT_MAGIC                    0x43525448u
#define HT_STATUS_UNANSWERED        0xffffffffu
#define HT_DOORBELL_DISPLACEMENT    0x48545243u
#define HT_DOORBELL_PORT            0xd48u
#define HT_PAGE_SIZE                0x1000u
#define HT_BODY_SIZE                0xfc0u
#define HT_MAX_STACK                0x1dbu
#define HT_MAX_STACK_NESTED         0x1d3u
#define HT_MAX_COMMANDS             0xfbu
#define HT_MAX_BATCH_BYTES          0x400000u
#define HT_MAX_TYPES_BYTES          0x4000000u
#define HT_MAX_PROBES               0x100000u
#define HT_MAX_SYMBOLS              0x400000u
#define HT_MAX_NAME                 0x3fu
#define HT_MAX_FUNCTION             0xbfu
#define HT_MAX_SYMBOL               0x1ffu
#define HT_MAX_TYPES                0x3ffu
/* mov [rdi + HT_DOORBELL_DISPLACEMENT], rsi */
#define HT_DOORBELL_BYTES "0x48, 0x89, 0xb7, 0x43, 0x52, 0x54, 0x48"

/* Revisions of the ABI. A revision changes when a guest built for the older one would be
 * misunderstood; new calls and new flag bits do not make one. */
enum ht_abi_version {
	/* The first: QEMU's doorbell, all calls up to GOODBYE. */
	HT_ABI_VERSION_V1 = 1,
};

/* What a descriptor asks for. */
enum ht_call {
	/* Identity of the guest; begins its life on the host. */
	HT_CALL_HELLO = 1,
	/* A batch of the probe table. */
	HT_CALL_PROBES = 2,
	/* A run of probes is no more (a module was unloaded). */
	HT_CALL_PROBES_GONE = 3,
	/* A batch of the kernel's symbols. */
	HT_CALL_SYMBOLS = 4,
	/* Where a container of types (BTF, CTF) lies. */
	HT_CALL_TYPES = 5,
	/* The guest asks for commands and acknowledges the last. */
	HT_CALL_POLL = 6,
	/* A probe fired. */
	HT_CALL_FIRE = 7,
	/* The guest's probes, symbols and types are let go. */
	HT_CALL_GOODBYE = 8,
};

/* The host's answer, in the descriptor's `status`. */
enum ht_status {
	/* Done. */
	HT_STATUS_OK = 0,
	/* The descriptor does not begin with the magic. */
	HT_STATUS_BAD_MAGIC = 1,
	/* A version the host does not speak. */
	HT_STATUS_BAD_VERSION = 2,
	/* A call the host does not know. */
	HT_STATUS_BAD_CALL = 3,
	/* `length` is more than the body holds or less than the call needs. */
	HT_STATUS_BAD_LENGTH = 4,
	/* A field has a value the call does not allow. */
	HT_STATUS_BAD_ARGUMENT = 5,
	/* HELLO has to come first. */
	HT_STATUS_NOT_READY = 6,
	/* One of the host's limits is reached. */
	HT_STATUS_LIMIT = 7,
	/* An address in the body does not translate. */
	HT_STATUS_BAD_ADDRESS = 8,
	/* Try again later. */
	HT_STATUS_BUSY = 9,
};

/* The guest's operating system. */
enum ht_os {
	/* Linux. */
	HT_OS_LINUX = 1,
	/* FreeBSD. */
	HT_OS_FREE_BSD = 2,
};

/* What a CPU was doing when it made the call; each level has its own descriptor. */
enum ht_level {
	/* A thread's own kernel code. */
	HT_LEVEL_TASK = 0,
	/* A softirq, or with bottom halves off. */
	HT_LEVEL_SOFTIRQ = 1,
	/* A hardware interrupt. */
	HT_LEVEL_HARDIRQ = 2,
	/* A non-maskable interrupt. */
	HT_LEVEL_NMI = 3,
};

/* What a guest module says of itself in HELLO. */
enum ht_features {
	/* Descriptors of levels above task are used. */
	HT_FEATURES_LEVELS = 1,
	/* Destructive actions are permitted. */
	HT_FEATURES_DESTRUCTIVE = 2,
	/* HELLO's body is followed by a `Jails`. */
	HT_FEATURES_JAILS = 4,
};

/* What the host says in its reply to HELLO. */
enum ht_host_flags {
	/* The host's owner wants destructive actions. */
	HT_HOST_FLAGS_DESTRUCTIVE = 1,
};

/* Where in a table a batch stands. */
enum ht_batch_flags {
	/* Empties the table first. */
	HT_BATCH_FLAGS_FIRST = 1,
	/* The table is complete with this batch. */
	HT_BATCH_FLAGS_LAST = 2,
};

/* How a probe instruments. */
enum ht_probe_kind {
	/* A kernel function's entry; arguments are the function's. */
	HT_PROBE_KIND_FBT_ENTRY = 1,
	/* A kernel function's return; `arg0` is the offset of the return (0 where the guest cannot
	 * know it), `arg1` the value. */
	HT_PROBE_KIND_FBT_RETURN = 2,
	/* A system call's entry. */
	HT_PROBE_KIND_SYSCALL_ENTRY = 3,
	/* A system call's return. */
	HT_PROBE_KIND_SYSCALL_RETURN = 4,
	/* A static probe: a tracepoint with its raw arguments. */
	HT_PROBE_KIND_SDT = 5,
	/* Events of processes and of the scheduler. */
	HT_PROBE_KIND_PROC = 6,
	/* Block input and output. */
	HT_PROBE_KIND_IO = 7,
	/* A timer on every CPU. */
	HT_PROBE_KIND_PROFILE = 8,
	/* A timer on one CPU. */
	HT_PROBE_KIND_TICK = 9,
	/* Anything else. */
	HT_PROBE_KIND_OTHER = 10,
};

/* How a container of types is written. */
enum ht_type_format {
	/* BPF type format. */
	HT_TYPE_FORMAT_BTF = 1,
	/* Compact C type format, version 2 or 3. */
	HT_TYPE_FORMAT_CTF = 2,
};

/* What the host adds to its reply to POLL. */
enum ht_poll_flags {
	/* More commands wait: poll again at once. */
	HT_POLL_FLAGS_MORE = 1,
};

/* What a command of a POLL reply does. */
enum ht_op {
	/* Instrument a run of probes, or change what their fires carry. */
	HT_OP_ENABLE = 1,
	/* Restore a run of probes. */
	HT_OP_DISABLE = 2,
	/* Restore everything. */
	HT_OP_DISABLE_ALL = 3,
};

/* What a fire must carry, and in `present` what it does carry. */
enum ht_context {
	/* Process and thread ids, uid, gid. */
	HT_CONTEXT_IDS = 1,
	/* The command's name. */
	HT_CONTEXT_EXECNAME = 2,
	/* The kernel stack; how many frames stands beside it. */
	HT_CONTEXT_KSTACK = 4,
	/* The user's registers, for a user stack. */
	HT_CONTEXT_UREGS = 8,
	/* Nanoseconds the thread has run. */
	HT_CONTEXT_VTIMESTAMP = 16,
	/* The guest's own guest whose vCPU is loaded on this CPU: a `Nested` behind the stack. */
	HT_CONTEXT_NESTED = 32,
};

/* What `root` of a `Nested` is. */
enum ht_nested_kind {
	/* AMD's nested page tables: the N_CR3 field of the VMCB. */
	HT_NESTED_KIND_NPT = 1,
	/* Intel's extended page tables: the EPT pointer of the VMCS. */
	HT_NESTED_KIND_EPT = 2,
};

/* What the host wants done after a fire (destructive actions). */
enum ht_action {
	/* Nothing. */
	HT_ACTION_NONE = 0,
	/* Stop the current process. */
	HT_ACTION_STOP = 1,
	/* Raise the signal in `arg` in the current process. */
	HT_ACTION_RAISE = 2,
	/* Panic. */
	HT_ACTION_PANIC = 3,
	/* Stop in the kernel's debugger, if it has one that listens. */
	HT_ACTION_BREAKPOINT = 4,
	/* Spin for the nanoseconds in `arg`. */
	HT_ACTION_CHILL = 5,
};

/* Head of a descriptor. */
struct ht_header {
	/* `MAGIC`. */
	uint32_t magic;
	/* An `AbiVersion`. */
	uint16_t version;
	/* A `Call`. */
	uint16_t call;
	/* Written by the host: a `Status`. */
	uint32_t status;
	/* Bytes of body that the sender filled. */
	uint32_t length;
	/* What the doorbell stores: `call << 32 | sequence`. */
	uint64_t doorbell;
	/* The guest's number of this CPU. */
	uint32_t cpu;
	/* A `Level`: tells who reads a page which of the CPU's it is. */
	uint8_t level;
	/* Zero. */
	uint8_t reserved[3];
	/* The guest's CR3 at the call. */
	uint64_t cr3;
	/* Written by the host in HELLO's reply, repeated by the guest. */
	uint64_t cookie;
	/* Zero. */
	uint8_t reserved2[16];
};
_Static_assert(sizeof(struct ht_header) == 64, "size");
_Static_assert(offsetof(struct ht_header, magic) == 0, "magic");
_Static_assert(offsetof(struct ht_header, version) == 4, "version");
_Static_assert(offsetof(struct ht_header, call) == 6, "call");
_Static_assert(offsetof(struct ht_header, status) == 8, "status");
_Static_assert(offsetof(struct ht_header, length) == 12, "length");
_Static_assert(offsetof(struct ht_header, doorbell) == 16, "doorbell");
_Static_assert(offsetof(struct ht_header, cpu) == 24, "cpu");
_Static_assert(offsetof(struct ht_header, level) == 28, "level");
_Static_assert(offsetof(struct ht_header, reserved) == 29, "reserved");
_Static_assert(offsetof(struct ht_header, cr3) == 32, "cr3");
_Static_assert(offsetof(struct ht_header, cookie) == 40, "cookie");
_Static_assert(offsetof(struct ht_header, reserved2) == 48, "reserved2");

/* Body of HELLO. Strings are NUL-terminated. */
struct ht_hello {
	/* An `Os`. */
	uint16_t os;
	/* Levels of the page tables: 4 or 5. */
	uint16_t paging;
	/* Possible CPUs. */
	uint32_t ncpu;
	/* `Features`. */
	uint64_t features;
	/* Address of the kernel's first byte of text, as relocated. */
	uint64_t kernel_base;
	/* Changes at every boot. */
	uint8_t boot_id[16];
	/* The guest's host name. */
	uint8_t hostname[64];
	/* The kernel's release, as `uname -r` says. */
	uint8_t release[64];
	/* The kernel's version, as `uname -v` says. */
	uint8_t kernel_version[128];
	/* The guest module's version. */
	uint8_t module_version[32];
};
_Static_assert(sizeof(struct ht_hello) == 328, "size");
_Static_assert(offsetof(struct ht_hello, os) == 0, "os");
_Static_assert(offsetof(struct ht_hello, paging) == 2, "paging");
_Static_assert(offsetof(struct ht_hello, ncpu) == 4, "ncpu");
_Static_assert(offsetof(struct ht_hello, features) == 8, "features");
_Static_assert(offsetof(struct ht_hello, kernel_base) == 16, "kernel_base");
_Static_assert(offsetof(struct ht_hello, boot_id) == 24, "boot_id");
_Static_assert(offsetof(struct ht_hello, hostname) == 40, "hostname");
_Static_assert(offsetof(struct ht_hello, release) == 104, "release");
_Static_assert(offsetof(struct ht_hello, kernel_version) == 168, "kernel_version");
_Static_assert(offsetof(struct ht_hello, module_version) == 296, "module_version");

/* Where a kernel with jails keeps them: it follows HELLO's body if the features say so. Offsets
 * in bytes, so that the host finds a thread's jail in the guest's memory when a script asks. */
struct ht_jails {
	/* Of the pointer to a `struct ucred` in a `struct thread`. */
	uint32_t thread_ucred;
	/* Of the pointer to a `struct prison` in a `struct ucred`. */
	uint32_t ucred_prison;
	/* Of the 32-bit number in a `struct prison`. */
	uint32_t prison_id;
	/* Of the name, NUL-terminated, in a `struct prison`. */
	uint32_t prison_name;
};
_Static_assert(sizeof(struct ht_jails) == 16, "size");
_Static_assert(offsetof(struct ht_jails, thread_ucred) == 0, "thread_ucred");
_Static_assert(offsetof(struct ht_jails, ucred_prison) == 4, "ucred_prison");
_Static_assert(offsetof(struct ht_jails, prison_id) == 8, "prison_id");
_Static_assert(offsetof(struct ht_jails, prison_name) == 12, "prison_name");

/* Reply to HELLO. */
struct ht_hello_reply {
	/* Milliseconds between two POLLs. */
	uint32_t poll_interval_ms;
	/* How many probes the host takes. */
	uint32_t max_probes;
	/* `HostFlags`. */
	uint32_t host_flags;
	/* Zero. */
	uint32_t reserved;
};
_Static_assert(sizeof(struct ht_hello_reply) == 16, "size");
_Static_assert(offsetof(struct ht_hello_reply, poll_interval_ms) == 0, "poll_interval_ms");
_Static_assert(offsetof(struct ht_hello_reply, max_probes) == 4, "max_probes");
_Static_assert(offsetof(struct ht_hello_reply, host_flags) == 8, "host_flags");
_Static_assert(offsetof(struct ht_hello_reply, reserved) == 12, "reserved");

/* Body of PROBES: where a batch of `ProbeHead` entries lies. */
struct ht_probes {
	/* Guest-virtual address of the batch. */
	uint64_t gva;
	/* Its bytes. */
	uint64_t len;
	/* Its entries. */
	uint32_t count;
	/* Id of the first entry; the others follow without gaps. */
	uint32_t first_id;
	/* `BatchFlags`. */
	uint32_t flags;
	/* Zero. */
	uint32_t reserved;
};
_Static_assert(sizeof(struct ht_probes) == 32, "size");
_Static_assert(offsetof(struct ht_probes, gva) == 0, "gva");
_Static_assert(offsetof(struct ht_probes, len) == 8, "len");
_Static_assert(offsetof(struct ht_probes, count) == 16, "count");
_Static_assert(offsetof(struct ht_probes, first_id) == 20, "first_id");
_Static_assert(offsetof(struct ht_probes, flags) == 24, "flags");
_Static_assert(offsetof(struct ht_probes, reserved) == 28, "reserved");

/* Body of PROBES_GONE. */
struct ht_probes_gone {
	/* Id of the first probe that is gone. */
	uint32_t first_id;
	/* How many. */
	uint32_t count;
};
_Static_assert(sizeof(struct ht_probes_gone) == 8, "size");
_Static_assert(offsetof(struct ht_probes_gone, first_id) == 0, "first_id");
_Static_assert(offsetof(struct ht_probes_gone, count) == 4, "count");

/* Body of SYMBOLS: where a batch of `SymbolHead` entries lies. */
struct ht_symbols {
	/* Guest-virtual address of the batch. */
	uint64_t gva;
	/* Its bytes. */
	uint64_t len;
	/* Its entries. */
	uint32_t count;
	/* `BatchFlags`. */
	uint32_t flags;
};
_Static_assert(sizeof(struct ht_symbols) == 24, "size");
_Static_assert(offsetof(struct ht_symbols, gva) == 0, "gva");
_Static_assert(offsetof(struct ht_symbols, len) == 8, "len");
_Static_assert(offsetof(struct ht_symbols, count) == 16, "count");
_Static_assert(offsetof(struct ht_symbols, flags) == 20, "flags");

/* Body of TYPES: where one container of types lies. */
struct ht_types {
	/* Guest-virtual address of the container. */
	uint64_t gva;
	/* Its bytes. */
	uint64_t len;
	/* A `TypeFormat`. */
	uint32_t format;
	/* `BatchFlags`. */
	uint32_t flags;
	/* Whose types they are: `vmlinux`, `kernel` or a module's name. */
	uint8_t module[64];
};
_Static_assert(sizeof(struct ht_types) == 88, "size");
_Static_assert(offsetof(struct ht_types, gva) == 0, "gva");
_Static_assert(offsetof(struct ht_types, len) == 8, "len");
_Static_assert(offsetof(struct ht_types, format) == 16, "format");
_Static_assert(offsetof(struct ht_types, flags) == 20, "flags");
_Static_assert(offsetof(struct ht_types, module) == 24, "module");

/* Body of POLL. */
struct ht_poll {
	/* Sequence of the last reply whose commands are carried out. */
	uint32_t ack;
	/* How many probes of it could not be instrumented. */
	uint32_t failed;
	/* Fires the guest had to leave out, in total. */
	uint64_t drops;
};
_Static_assert(sizeof(struct ht_poll) == 16, "size");
_Static_assert(offsetof(struct ht_poll, ack) == 0, "ack");
_Static_assert(offsetof(struct ht_poll, failed) == 4, "failed");
_Static_assert(offsetof(struct ht_poll, drops) == 8, "drops");

/* Reply to POLL; `count` times `Command` follow it. */
struct ht_poll_reply {
	/* Sequence to acknowledge. */
	uint32_t seq;
	/* Commands that follow. */
	uint32_t count;
	/* `PollFlags`. */
	uint32_t flags;
	/* Milliseconds until the next POLL. */
	uint32_t interval_ms;
};
_Static_assert(sizeof(struct ht_poll_reply) == 16, "size");
_Static_assert(offsetof(struct ht_poll_reply, seq) == 0, "seq");
_Static_assert(offsetof(struct ht_poll_reply, count) == 4, "count");
_Static_assert(offsetof(struct ht_poll_reply, flags) == 8, "flags");
_Static_assert(offsetof(struct ht_poll_reply, interval_ms) == 12, "interval_ms");

/* One command of a POLL reply. */
struct ht_command {
	/* Id of the first probe. */
	uint32_t first_probe;
	/* How many probes from there. */
	uint32_t nprobes;
	/* An `Op`. */
	uint16_t op;
	/* `Context` that the probes' fires must carry. */
	uint16_t context;
	/* Stack frames wanted. */
	uint32_t arg;
};
_Static_assert(sizeof(struct ht_command) == 16, "size");
_Static_assert(offsetof(struct ht_command, first_probe) == 0, "first_probe");
_Static_assert(offsetof(struct ht_command, nprobes) == 4, "nprobes");
_Static_assert(offsetof(struct ht_command, op) == 8, "op");
_Static_assert(offsetof(struct ht_command, context) == 10, "context");
_Static_assert(offsetof(struct ht_command, arg) == 12, "arg");

/* Body of FIRE; `nstack` program counters of 8 bytes follow it, innermost first, and behind
 * them a `Nested` if `present` says so. */
struct ht_fire {
	/* Id of the probe. */
	uint32_t probe;
	/* `Context` that is filled. */
	uint32_t present;
	/* The probe's arguments; 0 beyond what it has. */
	uint64_t args[10];
	/* Address of the current thread's structure. */
	uint64_t thread;
	/* Process id. */
	uint32_t pid;
	/* Thread id. */
	uint32_t tid;
	/* Parent's process id. */
	uint32_t ppid;
	/* Real user id. */
	uint32_t uid;
	/* Real group id. */
	uint32_t gid;
	/* Error of the system call that returns, positive; else 0. */
	int32_t errno;
	/* Nanoseconds the thread has run. */
	uint64_t vtimestamp;
	/* The guest's monotonic clock in nanoseconds. */
	uint64_t guest_time;
	/* The command's name, NUL-terminated. */
	uint8_t execname[32];
	/* Program counter of the probe site. */
	uint64_t ip;
	/* Stack pointer there. */
	uint64_t sp;
	/* Frame pointer there. */
	uint64_t fp;
	/* The user's program counter. */
	uint64_t user_ip;
	/* The user's stack pointer. */
	uint64_t user_sp;
	/* The user's frame pointer. */
	uint64_t user_fp;
	/* Page tables of the user's view; 0 if the same as `cr3`. */
	uint64_t user_cr3;
	/* Program counters that follow. */
	uint32_t nstack;
	/* Zero. */
	uint32_t reserved;
};
_Static_assert(sizeof(struct ht_fire) == 232, "size");
_Static_assert(offsetof(struct ht_fire, probe) == 0, "probe");
_Static_assert(offsetof(struct ht_fire, present) == 4, "present");
_Static_assert(offsetof(struct ht_fire, args) == 8, "args");
_Static_assert(offsetof(struct ht_fire, thread) == 88, "thread");
_Static_assert(offsetof(struct ht_fire, pid) == 96, "pid");
_Static_assert(offsetof(struct ht_fire, tid) == 100, "tid");
_Static_assert(offsetof(struct ht_fire, ppid) == 104, "ppid");
_Static_assert(offsetof(struct ht_fire, uid) == 108, "uid");
_Static_assert(offsetof(struct ht_fire, gid) == 112, "gid");
_Static_assert(offsetof(struct ht_fire, errno) == 116, "errno");
_Static_assert(offsetof(struct ht_fire, vtimestamp) == 120, "vtimestamp");
_Static_assert(offsetof(struct ht_fire, guest_time) == 128, "guest_time");
_Static_assert(offsetof(struct ht_fire, execname) == 136, "execname");
_Static_assert(offsetof(struct ht_fire, ip) == 168, "ip");
_Static_assert(offsetof(struct ht_fire, sp) == 176, "sp");
_Static_assert(offsetof(struct ht_fire, fp) == 184, "fp");
_Static_assert(offsetof(struct ht_fire, user_ip) == 192, "user_ip");
_Static_assert(offsetof(struct ht_fire, user_sp) == 200, "user_sp");
_Static_assert(offsetof(struct ht_fire, user_fp) == 208, "user_fp");
_Static_assert(offsetof(struct ht_fire, user_cr3) == 216, "user_cr3");
_Static_assert(offsetof(struct ht_fire, nstack) == 224, "nstack");
_Static_assert(offsetof(struct ht_fire, reserved) == 228, "reserved");

/* A vCPU of a guest's own guest, as its hypervisor has it at the moment of a fire. */
struct ht_nested {
	/* Root of the nested page tables, by `kind`. */
	uint64_t root;
	/* The inner guest's CR3. */
	uint64_t cr3;
	/* The inner guest's CR0. */
	uint64_t cr0;
	/* The inner guest's CR4. */
	uint64_t cr4;
	/* The inner guest's EFER. */
	uint64_t efer;
	/* A `NestedKind`. */
	uint32_t kind;
	/* Number of the vCPU in the inner guest. */
	uint32_t vcpu;
	/* Process id of the inner guest's monitor. */
	uint32_t monitor;
	/* Zero. */
	uint32_t reserved;
	/* Zero. */
	uint64_t reserved2;
};
_Static_assert(sizeof(struct ht_nested) == 64, "size");
_Static_assert(offsetof(struct ht_nested, root) == 0, "root");
_Static_assert(offsetof(struct ht_nested, cr3) == 8, "cr3");
_Static_assert(offsetof(struct ht_nested, cr0) == 16, "cr0");
_Static_assert(offsetof(struct ht_nested, cr4) == 24, "cr4");
_Static_assert(offsetof(struct ht_nested, efer) == 32, "efer");
_Static_assert(offsetof(struct ht_nested, kind) == 40, "kind");
_Static_assert(offsetof(struct ht_nested, vcpu) == 44, "vcpu");
_Static_assert(offsetof(struct ht_nested, monitor) == 48, "monitor");
_Static_assert(offsetof(struct ht_nested, reserved) == 52, "reserved");
_Static_assert(offsetof(struct ht_nested, reserved2) == 56, "reserved2");

/* Reply to FIRE. */
struct ht_fire_reply {
	/* An `Action`. */
	uint32_t action;
	/* Zero. */
	uint32_t reserved;
	/* The action's argument. */
	uint64_t arg;
};
_Static_assert(sizeof(struct ht_fire_reply) == 16, "size");
_Static_assert(offsetof(struct ht_fire_reply, action) == 0, "action");
_Static_assert(offsetof(struct ht_fire_reply, reserved) == 4, "reserved");
_Static_assert(offsetof(struct ht_fire_reply, arg) == 8, "arg");

/* Head of an entry in a PROBES batch. Five NUL-terminated strings follow: provider, module,
 * function, name, argument types; then zeros up to `len`. */
struct ht_probe_head {
	/* Bytes of the whole entry, a multiple of 4. */
	uint16_t len;
	/* A `ProbeKind`. */
	uint8_t kind;
	/* How many arguments the probe has. */
	uint8_t nargs;
	/* Address of the function or 0: its low half (entries are aligned to 4 only). */
	uint32_t address_low;
	/* Its high half. */
	uint32_t address_high;
};
_Static_assert(sizeof(struct ht_probe_head) == 12, "size");
_Static_assert(offsetof(struct ht_probe_head, len) == 0, "len");
_Static_assert(offsetof(struct ht_probe_head, kind) == 2, "kind");
_Static_assert(offsetof(struct ht_probe_head, nargs) == 3, "nargs");
_Static_assert(offsetof(struct ht_probe_head, address_low) == 4, "address_low");
_Static_assert(offsetof(struct ht_probe_head, address_high) == 8, "address_high");

/* Head of an entry in a SYMBOLS batch. Two NUL-terminated strings follow: name, module; then
 * zeros up to `len`. */
struct ht_symbol_head {
	/* Bytes of the whole entry, a multiple of 4. */
	uint16_t len;
	/* nm's letter. */
	uint8_t kind;
	/* Zero. */
	uint8_t reserved;
	/* Bytes of the object, 0 if unknown. */
	uint32_t size;
	/* Its address: the low half. */
	uint32_t address_low;
	/* Its high half. */
	uint32_t address_high;
};
_Static_assert(sizeof(struct ht_symbol_head) == 16, "size");
_Static_assert(offsetof(struct ht_symbol_head, len) == 0, "len");
_Static_assert(offsetof(struct ht_symbol_head, kind) == 2, "kind");
_Static_assert(offsetof(struct ht_symbol_head, reserved) == 3, "reserved");
_Static_assert(offsetof(struct ht_symbol_head, size) == 4, "size");
_Static_assert(offsetof(struct ht_symbol_head, address_low) == 8, "address_low");
_Static_assert(offsetof(struct ht_symbol_head, address_high) == 12, "address_high");

#endif /* HYPERTRACE_ABI_H */
