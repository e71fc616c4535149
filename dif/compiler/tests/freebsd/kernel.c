/*
 * What the D library reads of a FreeBSD 14 kernel's structures: names and kinds of members, in no
 * particular place.
 */
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t, uintptr_t, size_t;
typedef signed char int8_t;
typedef int int32_t, pid_t;
typedef long int64_t;
typedef unsigned int uid_t, gid_t;

struct session { int s_sid; };
struct pgrp { int pg_id; struct session *pg_session; };
struct prison { int pr_id; };
struct ucred { uid_t cr_uid, cr_ruid; gid_t cr_rgid; gid_t *cr_groups; struct prison *cr_prison; };
struct pargs { unsigned ar_ref, ar_length; unsigned char ar_args[1]; };
struct statfs { char f_fstypename[16]; char f_mntonname[1024]; };
struct mount { struct statfs mnt_stat; };
struct namecache { struct vnode *nc_dvp; char nc_name[]; };
struct vnode {
	struct { struct namecache *tqh_first; struct namecache **tqh_last; } v_cache_dst;
	struct mount *v_mount;
	unsigned v_vflag;
};
struct file { unsigned f_flag; struct vnode *f_vnode; long f_offset; };
struct filedescent { struct file *fde_file; void *fde_caps[3]; };
struct fdescenttbl { int fdt_nfiles; struct filedescent fdt_ofiles[]; };
struct filedesc { struct fdescenttbl *fd_files; };
struct pwd { struct vnode *pwd_cdir, *pwd_rdir; };
struct pwddesc { struct { struct pwd *__ptr; } pd_pwd; };
struct proc {
	int p_numthreads;
	pid_t p_pid;
	struct proc *p_pptr;
	struct pgrp *p_pgrp;
	struct ucred *p_ucred;
	struct pargs *p_args;
	struct filedesc *p_fd;
	struct pwddesc *p_pd;
	char p_comm[20];
};
struct thread {
	struct proc *td_proc;
	int td_tid;
	unsigned char td_priority;
	int td_flags, td_oncpu;
	const void *td_wchan;
};

struct bio {
	uint16_t bio_cmd, bio_flags;
	char *bio_data;
	int bio_error;
	long bio_resid, bio_bcount;
};
struct devstat {
	uint32_t device_number;
	char device_name[16];
	int unit_number, device_type;
};

struct in_addr { uint32_t s_addr; };
struct in6_addr { uint8_t s6_addr[16]; };
struct ip {
	unsigned ip_hl:4, ip_v:4;
	uint8_t ip_tos;
	uint16_t ip_len, ip_id, ip_off;
	uint8_t ip_ttl, ip_p;
	uint16_t ip_sum;
	struct in_addr ip_src, ip_dst;
};
struct ip6_hdr {
	union {
		struct {
			uint32_t ip6_un1_flow;
			uint16_t ip6_un1_plen;
			uint8_t ip6_un1_nxt, ip6_un1_hlim;
		} ip6_un1;
	} ip6_ctlun;
	struct in6_addr ip6_src, ip6_dst;
};
struct ifnet { char if_xname[16]; int if_flags; };
struct in_addr_4in6 { uint32_t ia46_pad32[3]; struct in_addr ia46_addr4; };
union in_dependaddr { struct in_addr_4in6 id46_addr; struct in6_addr id6_addr; };
struct in_endpoints {
	uint16_t ie_fport, ie_lport;
	union in_dependaddr ie_dependfaddr, ie_dependladdr;
};
struct in_conninfo { struct in_endpoints inc_ie; };
struct socket { int so_options; };
struct inpcb { struct in_conninfo inp_inc; unsigned char inp_vflag; struct socket *inp_socket; };
struct udphdr { uint16_t uh_sport, uh_dport, uh_ulen, uh_sum; };
struct tcphdr {
	uint16_t th_sport, th_dport;
	uint32_t th_seq, th_ack;
	unsigned char th_x2:4, th_off:4, th_flags;
	uint16_t th_win, th_sum, th_urp;
};
struct tcpcb {
	struct inpcb t_inpcb;
	int t_state, t_dupacks, t_srtt, t_rxtcur, t_rxtshift;
	uint32_t iss, irs, snd_una, snd_max, snd_nxt, last_ack_sent, rcv_nxt, snd_wnd, snd_wl1, snd_wl2;
	uint32_t rcv_up, rcv_adv, rcv_wnd, snd_cwnd, snd_ssthresh, snd_recover, snd_fack, t_maxseg;
	uint32_t t_rtttime, t_rtseq, ts_recent;
	uint8_t snd_scale, rcv_scale;
};

struct thread *a;
struct bio *b;
struct devstat *c;
struct ip *d;
struct ip6_hdr *e;
struct ifnet *f;
struct inpcb *g;
struct udphdr *h;
struct tcphdr *i;
struct tcpcb *j;
uint64_t k;
uintptr_t l;
size_t m;
int8_t n;
int64_t o;
