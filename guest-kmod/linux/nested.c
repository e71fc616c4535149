// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Guests of this guest: what KVM here knows of the vCPU that is loaded on this CPU.
 *
 *   kvm_running_vcpu (per CPU) ──▶ struct vcpu_svm ──▶ VMCB: nested root, CR3, CR0, CR4, EFER
 *                              └─▶ struct vcpu_vmx ──▶ VMCS, by VMREAD
 *
 * Nothing is hooked and nothing remembered: a fire that is asked for it looks, so a guest that is
 * not traced, or whose fires are not asked, pays nothing, and what is told is true at that moment.
 * Registers are taken from VMCB and VMCS because KVM's own copies of them lag behind.
 *
 * KVM's structures are private: where their members lie is read from the BTF of the module that
 * is loaded. Without BTF nothing is told. VMCB and VMCS are the processor's: AMD64 Architecture
 * Programmer's Manual volume 2, appendix B; Intel SDM volume 3, appendix B.
 */
#include <linux/btf.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <asm/asm.h>

#include "hypertrace.h"

/* Offsets in a VMCB. */
#define VMCB_NESTED_CTL 0x090
#define VMCB_NESTED_CR3 0x0b0
#define VMCB_EFER 0x4d0
#define VMCB_CR4 0x548
#define VMCB_CR3 0x550
#define VMCB_CR0 0x558
/* Bits of VMCB_NESTED_CTL. */
#define NESTED_PAGING BIT_ULL(0)
#define ENCRYPTED BIT_ULL(1)

/* Fields of a VMCS. */
#define VMCS_EPT_POINTER 0x201a
#define VMCS_EFER 0x2806
#define VMCS_CR0 0x6800
#define VMCS_CR3 0x6802
#define VMCS_CR4 0x6804

/* The KVM module that is loaded, and where its structures have what. */
static struct kvm_module {
	struct module *mod;
	bool amd;
	void *__percpu *running;
	void *__percpu *current_vmcs;
	u32 vmcb;        /* in struct vcpu_svm */
	u32 loaded_vmcs; /* in struct vcpu_vmx */
	u32 vmcs;        /* in struct loaded_vmcs */
	u32 kvm, vcpu_id;
	u32 userspace_pid;
} found;

/* &found, once it is filled. */
static struct kvm_module *kvm;

/* ---- at a fire -------------------------------------------------------------------------- */

static u64 quad(const void *at, u32 offset)
{
	return READ_ONCE(*(const u64 *)((const u8 *)at + offset));
}

static u32 word(const void *at, u32 offset)
{
	return READ_ONCE(*(const u32 *)((const u8 *)at + offset));
}

static void *pointer(const void *at, u32 offset)
{
	return (void *)quad(at, offset);
}

static bool fill_svm(const struct kvm_module *m, const void *vcpu, struct ht_nested *nested)
{
	const void *vmcb = pointer(vcpu, m->vmcb);

	/* With shadow paging there are no nested tables; what is encrypted, nobody reads. */
	if (!vmcb || (quad(vmcb, VMCB_NESTED_CTL) & (NESTED_PAGING | ENCRYPTED)) != NESTED_PAGING)
		return false;
	nested->kind = HT_NESTED_KIND_NPT;
	nested->root = quad(vmcb, VMCB_NESTED_CR3);
	nested->cr3 = quad(vmcb, VMCB_CR3);
	nested->cr0 = quad(vmcb, VMCB_CR0);
	nested->cr4 = quad(vmcb, VMCB_CR4);
	nested->efer = quad(vmcb, VMCB_EFER);
	return true;
}

/* A field of the current VMCS. There may be none, and no VMX operation: then VMREAD fails or
 * faults, and the field is not read. */
static bool vmread(unsigned long field, u64 *value)
{
	unsigned long read = 0;
	u8 done = 0;

	asm volatile("1: vmread %[field], %[read]\n\t"
		     "seta %[done]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [read] "+&r"(read), [done] "+&q"(done)
		     : [field] "r"(field)
		     : "cc");
	*value = read;
	return done;
}

static bool fill_vmx(const struct kvm_module *m, const void *vcpu, struct ht_nested *nested)
{
	const void *loaded = pointer(vcpu, m->loaded_vmcs);

	/* A vCPU is "running" shortly before its VMCS is the processor's current one. */
	if (!loaded || pointer(loaded, m->vmcs) != *this_cpu_ptr(m->current_vmcs))
		return false;
	nested->kind = HT_NESTED_KIND_EPT;
	return vmread(VMCS_EPT_POINTER, &nested->root) && vmread(VMCS_CR3, &nested->cr3) &&
	       vmread(VMCS_CR0, &nested->cr0) && vmread(VMCS_CR4, &nested->cr4) &&
	       vmread(VMCS_EFER, &nested->efer);
}

/* Describes the vCPU that is loaded on this CPU; false if there is none. Preemption is off. */
bool ht_nested_fill(struct ht_nested *nested)
{
	const struct kvm_module *m = smp_load_acquire(&kvm);
	const void *vcpu = m ? *this_cpu_ptr(m->running) : NULL;

	if (!vcpu)
		return false;
	memset(nested, 0, sizeof(*nested));
	nested->vcpu = word(vcpu, m->vcpu_id);
	nested->monitor = word(pointer(vcpu, m->kvm), m->userspace_pid);
	return m->amd ? fill_svm(m, vcpu, nested) : fill_vmx(m, vcpu, nested);
}

/* ---- types ------------------------------------------------------------------------------ */

/* One BTF container. */
struct types {
	const u8 *types, *end;
	const char *strings;
	u32 strings_len;
};

static bool open_types(struct types *types, const void *bytes, size_t len)
{
	const struct btf_header *head = bytes;
	u64 most = len - sizeof(*head);

	if (len < sizeof(*head) || head->magic != BTF_MAGIC || head->hdr_len > most ||
	    (u64)head->hdr_len + head->type_off + head->type_len > len ||
	    (u64)head->hdr_len + head->str_off + head->str_len > len)
		return false;
	types->types = (const u8 *)bytes + head->hdr_len + head->type_off;
	types->end = types->types + head->type_len;
	types->strings = (const char *)bytes + head->hdr_len + head->str_off;
	types->strings_len = head->str_len;
	return true;
}

/* A module's strings go on where the kernel's end. */
static bool is_named(const struct types *base, const struct types *own, u32 at, const char *name)
{
	const struct types *in = base;

	if (at >= base->strings_len) {
		at -= base->strings_len;
		in = own;
	}
	/* Containers end with a NUL. */
	return at < in->strings_len && !strcmp(in->strings + at, name);
}

/* Bytes behind a type's head. */
static u32 more_of(const struct btf_type *type)
{
	u32 count = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return count * 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return count * 8;
	default:
		return 0;
	}
}

static bool member_in(const struct types *base, const struct types *own, const struct types *in,
		      const char *name, const char *member, u32 *offset)
{
	const u8 *at = in->types;
	const struct btf_type *type;

	for (; at + sizeof(*type) <= in->end; at += sizeof(*type) + more_of(type)) {
		const struct btf_member *m = (const void *)(at + sizeof(*type));
		u32 i;

		type = (const void *)at;
		if (BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT ||
		    (const u8 *)(m + BTF_INFO_VLEN(type->info)) > in->end ||
		    !is_named(base, own, type->name_off, name))
			continue;
		for (i = 0; i < BTF_INFO_VLEN(type->info); i++) {
			if (!is_named(base, own, m[i].name_off, member))
				continue;
			*offset = (BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(m[i].offset) :
								m[i].offset) / 8;
			return true;
		}
	}
	return false;
}

static bool kernel_types(struct types *types)
{
	unsigned long start = ht_lookup("__start_BTF"), end = ht_lookup("__stop_BTF");

	return start && end > start && open_types(types, (void *)start, end - start);
}

/* ---- modules that come and go ----------------------------------------------------------- */

static bool locate(struct kvm_module *m, const void *bytes, size_t len)
{
	struct {
		bool wanted;
		const char *name, *member;
		u32 *place;
	} members[] = {
		{ m->amd, "vcpu_svm", "vmcb", &m->vmcb },
		{ !m->amd, "vcpu_vmx", "loaded_vmcs", &m->loaded_vmcs },
		{ !m->amd, "loaded_vmcs", "vmcs", &m->vmcs },
		{ true, "kvm_vcpu", "kvm", &m->kvm },
		{ true, "kvm_vcpu", "vcpu_id", &m->vcpu_id },
		{ true, "kvm", "userspace_pid", &m->userspace_pid },
	};
	struct types base, own;
	int i;

	if (!kernel_types(&base) || !open_types(&own, bytes, len))
		return false;
	for (i = 0; i < ARRAY_SIZE(members); i++) {
		const char *name = members[i].name, *member = members[i].member;

		if (members[i].wanted &&
		    !member_in(&base, &own, &own, name, member, members[i].place) &&
		    !member_in(&base, &own, &base, name, member, members[i].place)) {
			pr_info("hypertrace: no type says where %s.%s is\n", name, member);
			return false;
		}
	}
	m->running = (void *__percpu *)ht_lookup("kvm_running_vcpu");
	m->current_vmcs = m->amd ? NULL : (void *__percpu *)ht_lookup("current_vmcs");
	return m->running && (m->amd || m->current_vmcs);
}

/* A module came, with its types; under ht_lock. */
void ht_nested_module_types(struct module *mod, const void *bytes, size_t len)
{
	bool amd = !strcmp(mod->name, "kvm_amd");

	if (!amd && strcmp(mod->name, "kvm_intel"))
		return;
	ht_nested_module_gone(found.mod);
	found = (struct kvm_module){ .mod = mod, .amd = amd };
	if (locate(&found, bytes, len))
		smp_store_release(&kvm, &found);
	else
		pr_info("hypertrace: guests of this guest cannot be read\n");
}

/* A module goes; fires, which run without preemption, do not see it any more. Under ht_lock. */
void ht_nested_module_gone(struct module *mod)
{
	if (!mod || mod != found.mod)
		return;
	WRITE_ONCE(kvm, NULL);
	synchronize_rcu();
	found.mod = NULL;
}
