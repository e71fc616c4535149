/*
 * Packets and connections of FreeBSD: what args[] of the providers ip, tcp and udp are translated to,
 * with the members of FreeBSD 14's library.
 */

/* A packet; nobody numbers them. */
typedef struct pktinfo {
	uintptr_t pkt_addr;
} pktinfo_t;

/* A connection. */
typedef struct csinfo {
	uintptr_t cs_addr;
	uint64_t cs_cid;
	pid_t cs_pid;
	uint32_t cs_zoneid;
} csinfo_t;

/* What IPv4's and IPv6's headers have in common. */
typedef struct ipinfo {
	uint8_t ip_ver;
	uint32_t ip_plength;
	string ip_saddr;
	string ip_daddr;
} ipinfo_t;

/* A network interface. */
typedef struct ifinfo {
	string if_name;
	int8_t if_local;
	uintptr_t if_addr;
} ifinfo_t;

/* IPv4's header. */
typedef struct ipv4info {
	uint8_t ipv4_ver;
	uint8_t ipv4_ihl;
	uint8_t ipv4_tos;
	uint16_t ipv4_length;
	uint16_t ipv4_ident;
	uint8_t ipv4_flags;
	uint16_t ipv4_offset;
	uint8_t ipv4_ttl;
	uint8_t ipv4_protocol;
	string ipv4_protostr;
	uint16_t ipv4_checksum;
	uint32_t ipv4_src;
	uint32_t ipv4_dst;
	string ipv4_saddr;
	string ipv4_daddr;
	uintptr_t ipv4_hdr;
} ipv4info_t;

/* IPv6's header. */
typedef struct ipv6info {
	uint8_t ipv6_ver;
	uint8_t ipv6_tclass;
	uint32_t ipv6_flow;
	uint16_t ipv6_plen;
	uint8_t ipv6_nexthdr;
	string ipv6_nextstr;
	uint8_t ipv6_hlim;
	uintptr_t ipv6_src;
	uintptr_t ipv6_dst;
	string ipv6_saddr;
	string ipv6_daddr;
	uintptr_t ipv6_hdr;
} ipv6info_t;

inline short IPPROTO_IP = 0;
inline short IPPROTO_ICMP = 1;
inline short IPPROTO_IGMP = 2;
inline short IPPROTO_IPV4 = 4;
inline short IPPROTO_TCP = 6;
inline short IPPROTO_UDP = 17;
inline short IPPROTO_IPV6 = 41;
inline short IPPROTO_ROUTING = 43;
inline short IPPROTO_FRAGMENT = 44;
inline short IPPROTO_RSVP = 46;
inline short IPPROTO_GRE = 47;
inline short IPPROTO_ESP = 50;
inline short IPPROTO_AH = 51;
inline short IPPROTO_MOBILE = 55;
inline short IPPROTO_ICMPV6 = 58;
inline short IPPROTO_DSTOPTS = 60;
inline short IPPROTO_ETHERIP = 97;
inline short IPPROTO_PIM = 103;
inline short IPPROTO_IPCOMP = 108;
inline short IPPROTO_SCTP = 132;
inline short IPPROTO_RAW = 255;
inline uint8_t INP_IPV4 = 1;
inline uint8_t INP_IPV6 = 2;
inline int IFF_LOOPBACK = 8;

inline string protocols[int proto] =
    proto == IPPROTO_IP ? "IP" :
    proto == IPPROTO_ICMP ? "ICMP" :
    proto == IPPROTO_IGMP ? "IGMP" :
    proto == IPPROTO_IPV4 ? "IPV4" :
    proto == IPPROTO_TCP ? "TCP" :
    proto == IPPROTO_UDP ? "UDP" :
    proto == IPPROTO_IPV6 ? "IPV6" :
    proto == IPPROTO_ROUTING ? "ROUTING" :
    proto == IPPROTO_FRAGMENT ? "FRAGMENT" :
    proto == IPPROTO_RSVP ? "RSVP" :
    proto == IPPROTO_GRE ? "GRE" :
    proto == IPPROTO_ESP ? "ESP" :
    proto == IPPROTO_AH ? "AH" :
    proto == IPPROTO_MOBILE ? "MOBILE" :
    proto == IPPROTO_ICMPV6 ? "ICMPV6" :
    proto == IPPROTO_DSTOPTS ? "DSTOPTS" :
    proto == IPPROTO_ETHERIP ? "ETHERIP" :
    proto == IPPROTO_PIM ? "PIM" :
    proto == IPPROTO_IPCOMP ? "IPCOMP" :
    proto == IPPROTO_SCTP ? "SCTP" :
    proto == IPPROTO_RAW ? "RAW" :
    "<unknown>";

translator pktinfo_t < void *P > {
	pkt_addr = 0;
};

translator csinfo_t < void *P > {
	cs_addr = 0;
	cs_cid = (uintptr_t)P;
	cs_pid = 0;
	cs_zoneid = 0;
};

translator csinfo_t < struct inpcb *P > {
	cs_addr = 0;
	cs_cid = (uintptr_t)P;
	cs_pid = 0;
	cs_zoneid = 0;
};

/* A packet's first bytes: the version tells which header it is. */
inline struct ip *__ip4[uint8_t *P] = (struct ip *)P;
inline struct ip6_hdr *__ip6[uint8_t *P] = (struct ip6_hdr *)P;
translator ipinfo_t < uint8_t *P > {
	ip_ver = P == NULL ? 0 : __ip4[P]->ip_v;
	ip_plength = P == NULL ? 0 : __ip4[P]->ip_v == 4 ?
	    ntohs(__ip4[P]->ip_len) - (__ip4[P]->ip_hl << 2) :
	    ntohs(__ip6[P]->ip6_ctlun.ip6_un1.ip6_un1_plen);
	ip_saddr = P == NULL ? "<unknown>" : __ip4[P]->ip_v == 4 ? inet_ntoa(&__ip4[P]->ip_src.s_addr) :
	    inet_ntoa6(&__ip6[P]->ip6_src);
	ip_daddr = P == NULL ? "<unknown>" : __ip4[P]->ip_v == 4 ? inet_ntoa(&__ip4[P]->ip_dst.s_addr) :
	    inet_ntoa6(&__ip6[P]->ip6_dst);
};

translator ifinfo_t < struct ifnet *P > {
	if_name = stringof(P->if_xname);
	if_local = (P->if_flags & IFF_LOOPBACK) == 0 ? 0 : 1;
	if_addr = (uintptr_t)P;
};

translator ipv4info_t < struct ip *P > {
	ipv4_ver = P == NULL ? 0 : P->ip_v;
	ipv4_ihl = P == NULL ? 0 : P->ip_hl;
	ipv4_tos = P == NULL ? 0 : P->ip_tos;
	ipv4_length = P == NULL ? 0 : ntohs(P->ip_len);
	ipv4_ident = P == NULL ? 0 : ntohs(P->ip_id);
	ipv4_flags = P == NULL ? 0 : P->ip_off & 0xe000;
	ipv4_offset = P == NULL ? 0 : P->ip_off;
	ipv4_ttl = P == NULL ? 0 : P->ip_ttl;
	ipv4_protocol = P == NULL ? 0 : P->ip_p;
	ipv4_protostr = P == NULL ? "<null>" : protocols[P->ip_p];
	ipv4_checksum = P == NULL ? 0 : ntohs(P->ip_sum);
	ipv4_src = P == NULL ? 0 : ntohl(P->ip_src.s_addr);
	ipv4_dst = P == NULL ? 0 : ntohl(P->ip_dst.s_addr);
	ipv4_saddr = P == NULL ? "<unknown>" : inet_ntoa(&P->ip_src.s_addr);
	ipv4_daddr = P == NULL ? "<unknown>" : inet_ntoa(&P->ip_dst.s_addr);
	ipv4_hdr = (uintptr_t)P;
};

/* Version, class and flow share the first word. */
inline uint32_t __ip6_word[struct ip6_hdr *P] = ntohl(P->ip6_ctlun.ip6_un1.ip6_un1_flow);
translator ipv6info_t < struct ip6_hdr *P > {
	ipv6_ver = P == NULL ? 0 : __ip6_word[P] >> 28;
	ipv6_tclass = P == NULL ? 0 : (__ip6_word[P] & 0x0ff00000) >> 20;
	ipv6_flow = P == NULL ? 0 : __ip6_word[P] & 0x000fffff;
	ipv6_plen = P == NULL ? 0 : ntohs(P->ip6_ctlun.ip6_un1.ip6_un1_plen);
	ipv6_nexthdr = P == NULL ? 0 : P->ip6_ctlun.ip6_un1.ip6_un1_nxt;
	ipv6_nextstr = P == NULL ? "<null>" : protocols[P->ip6_ctlun.ip6_un1.ip6_un1_nxt];
	ipv6_hlim = P == NULL ? 0 : P->ip6_ctlun.ip6_un1.ip6_un1_hlim;
	ipv6_src = P == NULL ? 0 : (uintptr_t)&P->ip6_src;
	ipv6_dst = P == NULL ? 0 : (uintptr_t)&P->ip6_dst;
	ipv6_saddr = P == NULL ? "<unknown>" : inet_ntoa6(&P->ip6_src);
	ipv6_daddr = P == NULL ? "<unknown>" : inet_ntoa6(&P->ip6_dst);
	ipv6_hdr = (uintptr_t)P;
};

/* An end of a connection and the other: addresses and ports. */
inline string __local[struct inpcb *P] = P->inp_vflag == INP_IPV4 ?
    inet_ntoa(&P->inp_inc.inc_ie.ie_dependladdr.id46_addr.ia46_addr4.s_addr) :
    inet_ntoa6(&P->inp_inc.inc_ie.ie_dependladdr.id6_addr);
inline string __remote[struct inpcb *P] = P->inp_vflag == INP_IPV4 ?
    inet_ntoa(&P->inp_inc.inc_ie.ie_dependfaddr.id46_addr.ia46_addr4.s_addr) :
    inet_ntoa6(&P->inp_inc.inc_ie.ie_dependfaddr.id6_addr);

/* UDP's end of a conversation, and its header. */
typedef struct udpsinfo {
	uintptr_t udps_addr;
	uint16_t udps_lport;
	uint16_t udps_rport;
	string udps_laddr;
	string udps_raddr;
} udpsinfo_t;

typedef struct udpinfo {
	uint16_t udp_sport;
	uint16_t udp_dport;
	uint16_t udp_length;
	uint16_t udp_checksum;
	uintptr_t udp_hdr;
} udpinfo_t;

translator udpsinfo_t < struct inpcb *P > {
	udps_addr = (uintptr_t)P;
	udps_lport = P == NULL ? 0 : ntohs(P->inp_inc.inc_ie.ie_lport);
	udps_rport = P == NULL ? 0 : ntohs(P->inp_inc.inc_ie.ie_fport);
	udps_laddr = P == NULL ? "<unknown>" : __local[P];
	udps_raddr = P == NULL ? "<unknown>" : __remote[P];
};

translator udpinfo_t < struct udphdr *P > {
	udp_sport = P == NULL ? 0 : ntohs(P->uh_sport);
	udp_dport = P == NULL ? 0 : ntohs(P->uh_dport);
	udp_length = P == NULL ? 0 : ntohs(P->uh_ulen);
	udp_checksum = P == NULL ? 0 : ntohs(P->uh_sum);
	udp_hdr = (uintptr_t)P;
};

/* TCP's states and flags. */
inline int TCPS_CLOSED = 0;
inline int TCPS_LISTEN = 1;
inline int TCPS_SYN_SENT = 2;
inline int TCPS_SYN_RECEIVED = 3;
inline int TCPS_ESTABLISHED = 4;
inline int TCPS_CLOSE_WAIT = 5;
inline int TCPS_FIN_WAIT_1 = 6;
inline int TCPS_CLOSING = 7;
inline int TCPS_LAST_ACK = 8;
inline int TCPS_FIN_WAIT_2 = 9;
inline int TCPS_TIME_WAIT = 10;
inline uint8_t TH_FIN = 1;
inline uint8_t TH_SYN = 2;
inline uint8_t TH_RST = 4;
inline uint8_t TH_PUSH = 8;
inline uint8_t TH_ACK = 16;
inline uint8_t TH_URG = 32;
inline uint8_t TH_ECE = 64;
inline uint8_t TH_CWR = 128;

inline string tcp_state_string[int state] =
    state == TCPS_CLOSED ? "state-closed" :
    state == TCPS_LISTEN ? "state-listen" :
    state == TCPS_SYN_SENT ? "state-syn-sent" :
    state == TCPS_SYN_RECEIVED ? "state-syn-received" :
    state == TCPS_ESTABLISHED ? "state-established" :
    state == TCPS_CLOSE_WAIT ? "state-close-wait" :
    state == TCPS_FIN_WAIT_1 ? "state-fin-wait-1" :
    state == TCPS_CLOSING ? "state-closing" :
    state == TCPS_LAST_ACK ? "state-last-ack" :
    state == TCPS_FIN_WAIT_2 ? "state-fin-wait-2" :
    state == TCPS_TIME_WAIT ? "state-time-wait" :
    "<unknown>";

/* TCP's header; of one that comes in, the kernel has turned some members round already. */
typedef struct tcpinfo {
	uint16_t tcp_sport;
	uint16_t tcp_dport;
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint8_t tcp_offset;
	uint8_t tcp_flags;
	uint16_t tcp_window;
	uint16_t tcp_checksum;
	uint16_t tcp_urgent;
	uintptr_t tcp_hdr;
} tcpinfo_t;

typedef struct tcpinfoh {
	uint16_t tcp_sport;
	uint16_t tcp_dport;
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint8_t tcp_offset;
	uint8_t tcp_flags;
	uint16_t tcp_window;
	uint16_t tcp_checksum;
	uint16_t tcp_urgent;
	uintptr_t tcp_hdr;
} tcpinfoh_t;

translator tcpinfo_t < struct tcphdr *P > {
	tcp_sport = P == NULL ? 0 : ntohs(P->th_sport);
	tcp_dport = P == NULL ? 0 : ntohs(P->th_dport);
	tcp_seq = P == NULL ? -1 : ntohl(P->th_seq);
	tcp_ack = P == NULL ? -1 : ntohl(P->th_ack);
	tcp_offset = P == NULL ? -1 : P->th_off >> 2;
	tcp_flags = P == NULL ? 0 : P->th_flags;
	tcp_window = P == NULL ? 0 : ntohs(P->th_win);
	tcp_checksum = P == NULL ? 0 : ntohs(P->th_sum);
	tcp_urgent = P == NULL ? 0 : ntohs(P->th_urp);
	tcp_hdr = (uintptr_t)P;
};

translator tcpinfoh_t < struct tcphdr *P > {
	tcp_sport = P == NULL ? 0 : ntohs(P->th_sport);
	tcp_dport = P == NULL ? 0 : ntohs(P->th_dport);
	tcp_seq = P == NULL ? -1 : P->th_seq;
	tcp_ack = P == NULL ? -1 : P->th_ack;
	tcp_offset = P == NULL ? -1 : P->th_off >> 2;
	tcp_flags = P == NULL ? 0 : P->th_flags;
	tcp_window = P == NULL ? 0 : P->th_win;
	tcp_checksum = P == NULL ? 0 : ntohs(P->th_sum);
	tcp_urgent = P == NULL ? 0 : P->th_urp;
	tcp_hdr = (uintptr_t)P;
};

/* A connection's state, and the one before it. */
typedef struct tcplsinfo {
	int32_t tcps_state;
} tcplsinfo_t;

translator tcplsinfo_t < int S > {
	tcps_state = S;
};

translator csinfo_t < struct tcpcb *P > {
	cs_addr = 0;
	cs_cid = P == NULL ? 0 : (uintptr_t)&P->t_inpcb;
	cs_pid = 0;
	cs_zoneid = 0;
};

typedef struct tcpsinfo {
	uintptr_t tcps_addr;
	int tcps_local;
	int tcps_active;
	uint16_t tcps_lport;
	uint16_t tcps_rport;
	string tcps_laddr;
	string tcps_raddr;
	int32_t tcps_state;
	uint32_t tcps_iss;
	uint32_t tcps_irs;
	uint32_t tcps_suna;
	uint32_t tcps_smax;
	uint32_t tcps_snxt;
	uint32_t tcps_rack;
	uint32_t tcps_rnxt;
	unsigned long tcps_swnd;
	int32_t tcps_snd_ws;
	uint32_t tcps_swl1;
	uint32_t tcps_swl2;
	uint32_t tcps_rup;
	uint32_t tcps_radv;
	unsigned long tcps_rwnd;
	int32_t tcps_rcv_ws;
	unsigned long tcps_cwnd;
	unsigned long tcps_cwnd_ssthresh;
	uint32_t tcps_srecover;
	uint32_t tcps_sack_fack;
	uint32_t tcps_sack_snxt;
	uint32_t tcps_mss;
	int tcps_srtt;
	int32_t tcps_dupacks;
	uint32_t tcps_rtttime;
	uint32_t tcps_rtseq;
	uint32_t tcps_ts_recent;
	uint32_t tcps_rto;
	int tcps_retransmit;
	int tcps_debug;
} tcpsinfo_t;

translator tcpsinfo_t < struct tcpcb *P > {
	tcps_addr = (uintptr_t)P;
	tcps_local = -1;
	tcps_active = -1;
	tcps_lport = P == NULL ? 0 : ntohs(P->t_inpcb.inp_inc.inc_ie.ie_lport);
	tcps_rport = P == NULL ? 0 : ntohs(P->t_inpcb.inp_inc.inc_ie.ie_fport);
	tcps_laddr = P == NULL ? "<unknown>" : __local[&P->t_inpcb];
	tcps_raddr = P == NULL ? "<unknown>" : __remote[&P->t_inpcb];
	tcps_state = P == NULL ? -1 : P->t_state;
	tcps_iss = P == NULL ? 0 : P->iss;
	tcps_irs = P == NULL ? 0 : P->irs;
	tcps_suna = P == NULL ? 0 : P->snd_una;
	tcps_smax = P == NULL ? 0 : P->snd_max;
	tcps_snxt = P == NULL ? 0 : P->snd_nxt;
	tcps_rack = P == NULL ? 0 : P->last_ack_sent;
	tcps_rnxt = P == NULL ? 0 : P->rcv_nxt;
	tcps_swnd = P == NULL ? -1 : P->snd_wnd;
	tcps_snd_ws = P == NULL ? -1 : P->snd_scale;
	tcps_swl1 = P == NULL ? -1 : P->snd_wl1;
	tcps_swl2 = P == NULL ? -1 : P->snd_wl2;
	tcps_rup = P == NULL ? -1 : P->rcv_up;
	tcps_radv = P == NULL ? -1 : P->rcv_adv;
	tcps_rwnd = P == NULL ? -1 : P->rcv_wnd;
	tcps_rcv_ws = P == NULL ? -1 : P->rcv_scale;
	tcps_cwnd = P == NULL ? -1 : P->snd_cwnd;
	tcps_cwnd_ssthresh = P == NULL ? -1 : P->snd_ssthresh;
	tcps_srecover = P == NULL ? -1 : P->snd_recover;
	tcps_sack_fack = P == NULL ? 0 : P->snd_fack;
	tcps_sack_snxt = P == NULL ? 0 : P->snd_recover;
	tcps_mss = P == NULL ? -1 : P->t_maxseg;
	tcps_srtt = P == NULL ? -1 : P->t_srtt;
	tcps_dupacks = P == NULL ? -1 : P->t_dupacks;
	tcps_rtttime = P == NULL ? -1 : P->t_rtttime;
	tcps_rtseq = P == NULL ? -1 : P->t_rtseq;
	tcps_ts_recent = P == NULL ? -1 : P->ts_recent;
	tcps_rto = P == NULL ? -1 : P->t_rxtcur * 1000 / *(int *)&`hz;
	tcps_retransmit = P == NULL ? -1 : P->t_rxtshift > 0 ? 1 : 0;
	tcps_debug = P == NULL ? 0 : P->t_inpcb.inp_socket->so_options & 1;
};
