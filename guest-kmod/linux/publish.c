// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Telling the host who we are and what we have: HELLO, then probes and symbols in one pass over
 * the kernel's symbol table, then types; and again for modules that come, less for those that go.
 *
 * The table's last batch goes out last: the host takes us for ready when it has seen it.
 */
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/uuid.h>
#include <linux/vmalloc.h>

#include "hypertrace.h"

#define VERSION "0.1.0"

DEFINE_MUTEX(ht_lock);
bool ht_modules_pending;
u32 ht_interval = 20;

/* Modules whose probes are announced. */
struct known {
	struct list_head list;
	struct module *mod;
};

static LIST_HEAD(known_modules);

/* ---- identity --------------------------------------------------------------------------- */

/* Reads a whole small file; bytes read, or an error. */
static ssize_t read_file(const char *path, void *buffer, size_t size)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	loff_t at = 0;
	ssize_t n;

	if (IS_ERR(file))
		return PTR_ERR(file);
	n = kernel_read(file, buffer, size, &at);
	filp_close(file, NULL);
	return n;
}

/* The kernel's own boot id; a random one where /proc is not mounted yet. */
static void fill_boot_id(u8 *id)
{
	static uuid_t made;
	char text[UUID_STRING_LEN + 1] = "";
	uuid_t uuid;

	if (read_file("/proc/sys/kernel/random/boot_id", text, UUID_STRING_LEN) == UUID_STRING_LEN &&
	    !uuid_parse(text, &uuid)) {
		memcpy(id, &uuid, sizeof(uuid));
		return;
	}
	if (uuid_is_null(&made))
		uuid_gen(&made);
	memcpy(id, &made, sizeof(made));
}

static int hello(u32 *max_probes)
{
	struct ht_hello *body = ht_body();
	struct ht_hello_reply *reply = ht_body();
	u32 status;

	memset(body, 0, sizeof(*body));
	body->os = HT_OS_LINUX;
	body->paging = native_read_cr4() & X86_CR4_LA57 ? 5 : 4;
	body->ncpu = num_possible_cpus();
	body->features = HT_FEATURES_LEVELS | (ht_destructive ? HT_FEATURES_DESTRUCTIVE : 0);
	body->kernel_base = ht_text_base;
	fill_boot_id(body->boot_id);
	strscpy(body->hostname, utsname()->nodename, sizeof(body->hostname));
	strscpy(body->release, utsname()->release, sizeof(body->release));
	strscpy(body->kernel_version, utsname()->version, sizeof(body->kernel_version));
	strscpy(body->module_version, VERSION, sizeof(body->module_version));
	status = ht_call(HT_CALL_HELLO, sizeof(*body));
	if (status == HT_STATUS_UNANSWERED)
		return -EAGAIN;
	if (status) {
		pr_warn_once("hypertrace: the host refuses us: status %u\n", status);
		return -EPROTO;
	}
	*max_probes = reply->max_probes;
	ht_interval = clamp_t(u32, reply->poll_interval_ms, 1, 10000);
	return 0;
}

/* ---- symbols, functions ----------------------------------------------------------------- */

static int add_symbol(void *data, const char *name, struct module *mod, unsigned long addr)
{
	bool text = ht_is_text(addr, mod);

	/* Offsets in the per-CPU area are no addresses; what init leaves behind is reused. */
	if (addr < TASK_SIZE_MAX || (!mod && ht_is_init(addr)) || !*name)
		return 0;
	if (text)
		ht_fbt_add(name, mod, addr);
	return ht_symbol_add(name, mod ? mod->name : "vmlinux", addr, text ? 't' : 'd');
}

/* ---- types ------------------------------------------------------------------------------ */

static void send_types(const char *module, const void *bytes, size_t len, u32 flags)
{
	struct ht_types *body = ht_body();
	u32 status;

	memset(body, 0, sizeof(*body));
	body->gva = (unsigned long)bytes;
	body->len = len;
	body->format = HT_TYPE_FORMAT_BTF;
	body->flags = flags;
	strscpy(body->module, module, sizeof(body->module));
	status = ht_call(HT_CALL_TYPES, sizeof(*body));
	if (status)
		pr_warn("hypertrace: the host refuses the types of %s: status %u\n", module, status);
}

static void send_kernel_types(void)
{
	unsigned long start = ht_lookup("__start_BTF"), end = ht_lookup("__stop_BTF");

	if (start && end > start)
		send_types("vmlinux", (void *)start, end - start, HT_BATCH_FLAGS_FIRST);
	else
		pr_info("hypertrace: this kernel has no BTF: arguments have no types\n");
}

/* Reads all of a file that gives a page at a time, as those of sysfs do. */
static bool read_whole(struct file *file, void *bytes, size_t size)
{
	loff_t at = 0;

	while (at < size) {
		ssize_t n = kernel_read(file, bytes + at, size - at, &at);

		if (n <= 0)
			return false;
	}
	return true;
}

/* A module's types are read where the kernel shows them to user space. */
static void send_module_types(struct module *mod)
{
	char path[32 + MODULE_NAME_LEN];
	struct file *file;
	size_t size;
	void *bytes;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", mod->name);
	file = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(file))
		return;
	size = i_size_read(file_inode(file));
	bytes = size && size <= HT_MAX_TYPES_BYTES ? vmalloc(size) : NULL;
	if (bytes && read_whole(file, bytes, size)) {
		send_types(mod->name, bytes, size, 0);
		ht_nested_module_types(mod, bytes, size);
	}
	vfree(bytes);
	filp_close(file, NULL);
}

/* ---- modules ---------------------------------------------------------------------------- */

static struct known *find_known(struct module *mod)
{
	struct known *known;

	list_for_each_entry(known, &known_modules, list)
		if (known->mod == mod)
			return known;
	return NULL;
}

static void publish_module(struct module *mod)
{
	struct known *known;

	if (find_known(mod))
		return;
	known = kzalloc(sizeof(*known), GFP_KERNEL);
	if (!known)
		return;
	known->mod = mod;
	list_add(&known->list, &known_modules);
	ht_sdt_publish_module(mod);
	ht_each_module_symbol(mod, add_symbol, NULL);
	send_module_types(mod);
}

/* Announces the modules that came since; from the thread that polls. */
void ht_publish_modules(void)
{
	WRITE_ONCE(ht_modules_pending, false);
	ht_each_module(publish_module);
	ht_symbol_flush(true);
	ht_probe_flush(true);
}

static void forget_module(struct module *mod)
{
	struct known *known;

	mutex_lock(&ht_lock);
	known = find_known(mod);
	if (known) {
		list_del(&known->list);
		kfree(known);
		ht_fbt_module_gone(mod);
		ht_sdt_module_gone(mod);
		ht_nested_module_gone(mod);
	}
	mutex_unlock(&ht_lock);
}

static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	if (data == THIS_MODULE)
		return NOTIFY_DONE;
	if (state == MODULE_STATE_LIVE)
		WRITE_ONCE(ht_modules_pending, true);
	else if (state == MODULE_STATE_GOING)
		forget_module(data);
	return NOTIFY_OK;
}

static struct notifier_block module_block = { .notifier_call = on_module };

int ht_modules_init(void)
{
	return register_module_notifier(&module_block);
}

void ht_modules_exit(void)
{
	unregister_module_notifier(&module_block);
}

/* ---- all of it -------------------------------------------------------------------------- */

static int publish_probes(void)
{
	int error = ht_standard_publish();

	if (!error)
		error = ht_profile_publish();
	if (!error)
		error = ht_syscall_publish();
	if (!error)
		error = ht_sdt_publish();
	return error;
}

/* Says HELLO and announces everything; -EAGAIN if nobody listens. */
int ht_publish(void)
{
	u32 max_probes = 0;
	int error = hello(&max_probes);

	lockdep_assert_held(&ht_lock);
	if (error)
		return error;
	error = ht_table_init(max_probes);
	if (!error)
		error = ht_fbt_init();
	if (!error)
		error = ht_sdt_init();
	if (!error)
		error = publish_probes();
	if (!error)
		error = ht_each_symbol(add_symbol, NULL);
	if (!error) {
		WRITE_ONCE(ht_modules_pending, false);
		send_kernel_types();
		ht_each_module(publish_module);
		error = ht_symbol_flush(true);
	}
	if (!error)
		error = ht_probe_flush(true);
	if (error)
		ht_unpublish();
	else
		pr_info("hypertrace: %u probes\n", ht_probes);
	return error;
}

/* Restores everything, says GOODBYE and forgets what was announced. */
void ht_unpublish(void)
{
	struct known *known, *next;

	lockdep_assert_held(&ht_lock);
	ht_disable_all();
	ht_standard_exit();
	ht_syscall_exit();
	ht_sdt_exit();
	ht_fbt_exit();
	ht_call(HT_CALL_GOODBYE, 0);
	list_for_each_entry_safe(known, next, &known_modules, list) {
		list_del(&known->list);
		kfree(known);
	}
	ht_table_clear();
}
