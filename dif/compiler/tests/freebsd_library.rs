//! The D library for FreeBSD's kernels, over the members that it reads.
#![expect(clippy::unwrap_used, reason = "helpers of a test: a failure here is the test's")]

use std::{path::Path, process::Command, sync::OnceLock};

use dif::program::ProbeDesc;
use dlang::{
    World,
    compiler::{CompileOptions, Compiler},
    source::{Origin, SpecKind},
    types::file::types_of_file,
    world::{ArgType, ArgTypes, Os, Symbol, TypeContainer, TypeFormat},
};

struct Kernel {
    types: Vec<u8>,
    args: Vec<ArgType>,
}

impl World for Kernel {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        vec![TypeContainer { module: "kernel", format: TypeFormat::BtfAlone, bytes: &self.types }]
    }
    fn symbol(&self, _: Option<&str>, name: &str) -> Option<Symbol> {
        (name == "hz").then(|| Symbol { address: 0x1000, size: 4, module: "kernel".into() })
    }
    fn matches(&self, _: &ProbeDesc) -> usize {
        1
    }
    fn arg_types(&self, _: &ProbeDesc) -> ArgTypes {
        ArgTypes::Typed(self.args.clone())
    }
    fn os(&self) -> Os {
        Os::FreeBsd
    }
    fn name(&self) -> &str {
        "FreeBSD"
    }
}

/// The kernel's types, made once for all tests; `None` where there is no gcc.
fn types() -> Option<&'static [u8]> {
    static TYPES: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    TYPES.get_or_init(build).as_deref()
}

fn build() -> Option<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/freebsd/kernel.c");
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join("freebsd-kernel.o");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-fno-eliminate-unused-debug-types", "-c"]).arg(source).arg("-o").arg(&object);
    let made = gcc.output().ok()?.status.success();
    made.then(|| types_of_file(&std::fs::read(object).unwrap()).unwrap())
}

#[track_caller]
fn compiles(types: &[u8], args: &[(&str, &str)], body: &str) {
    let args = (0..).zip(args).map(|(mapping, (native, translated))| ArgType {
        native: (*native).to_owned(),
        translated: Some((*translated).to_owned()),
        mapping,
    });
    let kernel = Kernel { types: types.to_vec(), args: args.collect() };
    let mut compiler = Compiler::new(CompileOptions::default());
    let text = format!("vfs::: {{ {body} }}");
    let compiled = compiler
        .add_script(Origin::Specifier(SpecKind::Name), text)
        .and_then(|_| compiler.compile(&kernel));
    let compiled = compiled.unwrap_or_else(|error| panic!("{}", compiler.render(&error, true)));
    compiled.program.verify().unwrap();
}

/// Every member of every structure is there.
#[test]
fn translators_fit_the_kernel() {
    let Some(types) = types() else { return };
    let all = |what: &str, members: &str| -> String {
        members.split_whitespace().map(|member| format!("trace({what}{member}); ")).collect()
    };
    let process = "nlwp pid ppid pgid sid uid euid gid egid addr fname psargs arglen jailid";
    let process: String = process.split(' ').map(|name| format!("pr_{name} ")).collect();
    let thread = "lwpid pri flag state sname syscall addr wchan";
    let thread: String = thread.split(' ').map(|name| format!("pr_{name} ")).collect();
    compiles(types, &[], &all("curpsinfo->", &process));
    compiles(types, &[], &all("curlwpsinfo->", &thread));
    compiles(types, &[], "trace(curcpu->cpu_id); trace(execargs); trace(progenyof(5));");
    compiles(types, &[], "trace(cwd); trace(root); trace(getf(3)->f_flag);");
    let file = "fi_name fi_dirname fi_pathname fi_mount fi_fs fi_offset fi_oflags";
    compiles(types, &[], &all("fds[0].", file));
    let io = [("struct bio *", "bufinfo_t *"), ("struct devstat *", "devinfo_t *")];
    let buffer = "b_cmd b_flags b_bcount b_addr b_blkno b_lblkno b_resid b_bufsize b_error";
    compiles(types, &io, &all("args[0]->", buffer));
    let device = "dev_major dev_minor dev_instance dev_type dev_name dev_statname dev_pathname";
    compiles(types, &io, &all("args[1]->", device));
    compiles(
        types,
        &io,
        "trace(bio_cmd_string[args[0]->b_cmd]); trace(device_type[args[1]->dev_type]); \
         trace(device_if[args[1]->dev_type]); trace(bio_flag_string[args[0]->b_flags & BIO_ERROR]);",
    );
}

/// What the providers ip, tcp and udp pass.
#[test]
fn packets_are_translated() {
    let Some(types) = types() else { return };
    let ip = [
        ("void *", "pktinfo_t *"),
        ("void *", "csinfo_t *"),
        ("uint8_t *", "ipinfo_t *"),
        ("struct ifnet *", "ifinfo_t *"),
        ("struct ip *", "ipv4info_t *"),
        ("struct ip6_hdr *", "ipv6info_t *"),
    ];
    compiles(
        types,
        &ip,
        "trace(args[0]->pkt_addr); trace(args[1]->cs_cid); trace(args[2]->ip_ver); \
         trace(args[2]->ip_plength); trace(args[2]->ip_saddr); trace(args[2]->ip_daddr); \
         trace(args[3]->if_name); trace(args[3]->if_local);",
    );
    compiles(
        types,
        &ip,
        "trace(args[4]->ipv4_ihl); trace(args[4]->ipv4_protostr); trace(args[4]->ipv4_saddr); \
         trace(args[4]->ipv4_dst); trace(args[5]->ipv6_ver); trace(args[5]->ipv6_nextstr); \
         trace(args[5]->ipv6_daddr); trace(args[5]->ipv6_flow);",
    );
    let tcp = [
        ("struct tcpcb *", "csinfo_t *"),
        ("struct tcpcb *", "tcpsinfo_t *"),
        ("struct tcphdr *", "tcpinfo_t *"),
        ("struct tcphdr *", "tcpinfoh_t *"),
        ("int", "tcplsinfo_t *"),
    ];
    let members = "addr local active lport rport laddr raddr state iss irs suna smax snxt rack rnxt \
        swnd snd_ws swl1 swl2 rup radv rwnd rcv_ws cwnd cwnd_ssthresh srecover sack_fack sack_snxt \
        rto mss retransmit srtt debug dupacks rtttime rtseq ts_recent";
    let traced: String =
        members.split_whitespace().map(|it| format!("trace(args[1]->tcps_{it}); ")).collect();
    compiles(types, &tcp, &traced);
    compiles(
        types,
        &tcp,
        "trace(args[0]->cs_cid); trace(args[2]->tcp_seq); trace(args[2]->tcp_offset); \
         trace(args[3]->tcp_window); trace(args[3]->tcp_flags & TH_SYN); \
         trace(tcp_state_string[args[1]->tcps_state]);",
    );
    let udp = [("struct inpcb *", "udpsinfo_t *"), ("struct udphdr *", "udpinfo_t *")];
    compiles(
        types,
        &udp,
        "trace(args[0]->udps_laddr); trace(args[0]->udps_rport); trace(args[1]->udp_length);",
    );
}
