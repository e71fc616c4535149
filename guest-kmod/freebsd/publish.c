/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Telling the host who we are and what we have: HELLO, then probes, symbols and types of every
 * file the linker has loaded; and again for files that come, less for those that go.
 *
 * The table's last batch goes out last: the host takes us for ready when it has seen it.
 */
#include "hypertrace.h"

#include <sys/jail.h>
#include <sys/libkern.h>
#include <sys/sysctl.h>
#include <sys/ucred.h>
#include <machine/md_var.h>

#define	VERSION	"0.1.0"

uint32_t ht_interval = 20;

/* Files whose probes are announced. The linker frees none without telling us first. */
struct known {
	struct known	*next;
	linker_file_t	file;
};

static struct known *known_files;

/* Identity. */

/* The kernel's own boot id; where it has none, ours, which lasts as long as we are loaded. */
static void
fill_boot_id(uint8_t *id)
{
	static uint8_t made[16];
	static bool is_made;
	size_t len = sizeof(made);

	if (!is_made) {
		if (kernel_sysctlbyname(curthread, __DECONST(char *, "kern.boot_id"), made, &len,
		    NULL, 0, NULL, 0) != 0 || len != sizeof(made))
			arc4rand(made, sizeof(made), 0);
		is_made = true;
	}
	memcpy(id, made, sizeof(made));
}

/* `uname -v`: the kernel's own text ends with a line feed. */
static void
fill_version(char *to, size_t size)
{
	size_t len;

	strlcpy(to, version, size);
	len = strlen(to);
	while (len > 0 && to[len - 1] == '\n')
		to[--len] = '\0';
}

/* Where this kernel keeps a thread's jail: the host follows these when a script asks. */
static const struct ht_jails jails = {
	.thread_ucred = offsetof(struct thread, td_ucred),
	.ucred_prison = offsetof(struct ucred, cr_prison),
	.prison_id = offsetof(struct prison, pr_id),
	.prison_name = offsetof(struct prison, pr_name),
};

static int
hello(uint32_t *max_probes)
{
	struct ht_hello *body = ht_body();
	struct ht_hello_reply *reply = ht_body();
	static uint32_t said;
	uint32_t status;

	memset(body, 0, sizeof(*body));
	body->os = HT_OS_FREE_BSD;
	body->paging = la57 ? 5 : 4;
	body->ncpu = mp_maxid + 1;
	body->features = HT_FEATURES_LEVELS | HT_FEATURES_JAILS |
	    (ht_destructive ? HT_FEATURES_DESTRUCTIVE : 0);
	body->kernel_base = (uintptr_t)btext;
	fill_boot_id(body->boot_id);
	getcredhostname(curthread->td_ucred, (char *)body->hostname, sizeof(body->hostname));
	strlcpy((char *)body->release, osrelease, sizeof(body->release));
	fill_version((char *)body->kernel_version, sizeof(body->kernel_version));
	strlcpy((char *)body->module_version, VERSION, sizeof(body->module_version));
	memcpy(body + 1, &jails, sizeof(jails));
	status = ht_call(HT_CALL_HELLO, sizeof(*body) + sizeof(jails));
	if (status == HT_STATUS_UNANSWERED)
		return (EAGAIN);
	if (status != HT_STATUS_OK && status != said)
		ht_say("the host refuses us: status %u", status);
	said = status;
	if (status != HT_STATUS_OK)
		return (EPROTO);
	*max_probes = reply->max_probes;
	ht_interval = MAX(1, MIN(reply->poll_interval_ms, 10000));
	return (0);
}

/* Files. */

/* `kernel` for the kernel, `if_em` for if_em.ko. */
static void
module_name(linker_file_t file, char *name, size_t size)
{
	size_t len;

	/* Whatever its file is called: types of modules refer to it by this name. */
	if (file == linker_kernel_file) {
		strlcpy(name, "kernel", size);
		return;
	}
	strlcpy(name, file->filename, size);
	len = strlen(name);
	if (len > 3 && strcmp(name + len - 3, ".ko") == 0)
		name[len - 3] = '\0';
}

/* What add_function() is told of the file whose functions come. */
struct listing {
	const char	*module;
	bool		complete;	/* its symbols are announced */
	bool		ifuncs;		/* it is the turn of names that an ifunc resolves */
};

static int
add_function(linker_file_t file, int number __unused, linker_symval_t *symbol, void *arg)
{
	const struct listing *listing = arg;
	uintptr_t addr = (uintptr_t)symbol->value;

	if (symbol->name == NULL || symbol->name[0] == '\0' || addr == 0)
		return (0);
	if (ht_types_is_ifunc(symbol->name) != listing->ifuncs)
		return (0);
	if (listing->ifuncs) {
		ht_fbt_add(symbol->name, file, listing->module, addr, 0);
		return (0);
	}
	ht_sdt_function(symbol->name, addr, symbol->size);
	ht_fbt_add(symbol->name, file, listing->module, addr, symbol->size);
	if (listing->complete)
		return (0);
	return (ht_symbol_add(symbol->name, listing->module, addr, symbol->size, 't'));
}

static bool
is_known(linker_file_t file)
{
	struct known *known;

	for (known = known_files; known != NULL; known = known->next)
		if (known->file == file)
			return (true);
	return (false);
}

/* Announces one file, if it is new. Called with the linker's lock held. */
static int
publish_file(linker_file_t file, void *arg __unused)
{
	char module[HT_MAX_NAME + 1];
	struct listing listing = { .module = module };
	struct known *known;
	int error;

	if (is_known(file) || (file->flags & LINKER_FILE_LINKED) == 0)
		return (0);
	known = malloc(sizeof(*known), M_HYPERTRACE, M_WAITOK);
	known->file = file;
	known->next = known_files;
	known_files = known;
	module_name(file, module, sizeof(module));
	error = ht_types_publish(file, module, &listing.complete);
	if (error == 0)
		error = linker_file_function_listall(file, add_function, &listing);
	listing.ifuncs = true;
	if (error == 0)
		error = linker_file_function_listall(file, add_function, &listing);
	if (error == 0) {
		ht_sdt_publish(file, module);
		ht_syscall_publish(file);
	}
	return (error);
}

/* Announces the files that came since. */
void
ht_publish_files(void)
{
	linker_file_foreach(publish_file, NULL);
	ht_symbol_flush(true);
	ht_probe_flush(true);
}

/* Before a file goes: its probes are restored and announced as gone. */
void
ht_forget_file(linker_file_t file)
{
	struct known *known, **place;

	for (place = &known_files; (known = *place) != NULL; place = &known->next) {
		if (known->file != file)
			continue;
		*place = known->next;
		free(known, M_HYPERTRACE);
		ht_sdt_forget(file);
		ht_fbt_forget(file);
		ht_syscall_forget(file);
		ht_probes_gone();
		return;
	}
}

/* All of it. */

/* Says HELLO and announces everything; EAGAIN if nobody listens. */
int
ht_publish(void)
{
	uint32_t max_probes = 0;
	int error;

	error = hello(&max_probes);
	if (error != 0)
		return (error);
	ht_clock_init();
	ht_table_init(max_probes);
	ht_profile_publish();
	error = linker_file_foreach(publish_file, NULL);
	if (error == 0)
		error = ht_symbol_flush(true);
	if (error == 0)
		error = ht_probe_flush(true);
	if (error != 0)
		ht_unpublish();
	else
		ht_say("%u probes", ht_probes());
	return (error);
}

/*
 * Restores everything, says GOODBYE and forgets what was announced. If a signal breaks the wait for
 * CPUs inside a hook, nothing is forgotten, and the caller tries again later.
 */
int
ht_unpublish(void)
{
	struct known *known;
	int error;

	ht_disable_all();
	/* First those on their way to a hook, which must still be there, then those inside. */
	error = ht_quiesce();
	if (error != 0)
		return (error);
	ht_sdt_unhook();
	ht_syscall_unhook();
	ht_fbt_unhook();
	error = ht_quiesce();
	if (error != 0)
		return (error);
	ht_sdt_exit();
	ht_fbt_exit();
	ht_syscall_exit();
	ht_call(HT_CALL_GOODBYE, 0);
	while ((known = known_files) != NULL) {
		known_files = known->next;
		free(known, M_HYPERTRACE);
	}
	ht_table_clear();
	return (0);
}
