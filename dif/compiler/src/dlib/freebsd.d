/*
 * How a FreeBSD kernel's own structures become D's, with the members of FreeBSD 14's library.
 *
 * Members are read when a script uses them, not before: a kernel that lacks one is only a matter
 * for scripts that want it.
 */

translator psinfo_t < struct proc *T > {
	pr_nlwp = T->p_numthreads;
	pr_pid = T->p_pid;
	pr_ppid = T->p_pptr == NULL ? 0 : T->p_pptr->p_pid;
	pr_pgid = T->p_pgrp == NULL ? 0 : T->p_pgrp->pg_id;
	pr_sid = T->p_pgrp == NULL || T->p_pgrp->pg_session == NULL ? 0 :
	    T->p_pgrp->pg_session->s_sid;
	pr_uid = T->p_ucred->cr_ruid;
	pr_euid = T->p_ucred->cr_uid;
	pr_gid = T->p_ucred->cr_rgid;
	pr_egid = T->p_ucred->cr_groups[0];
	pr_addr = 0;
	pr_fname = stringof(T->p_comm);
	pr_psargs = T->p_args == NULL ? "" :
	    memstr((void *)((uintptr_t)T->p_args + offsetof(struct pargs, ar_args)), ' ',
	    T->p_args->ar_length);
	pr_arglen = T->p_args == NULL ? 0 : T->p_args->ar_length;
	pr_jailid = T->p_ucred->cr_prison->pr_id;
};

translator lwpsinfo_t < struct thread *T > {
	pr_lwpid = T->td_tid;
	pr_pri = T->td_priority;
	pr_flag = T->td_flags;
	pr_state = 0;
	pr_sname = '?';
	pr_syscall = 0;
	pr_addr = (uintptr_t)T;
	pr_wchan = (uintptr_t)T->td_wchan;
};

/* The CPU that a thread runs on. */
translator cpuinfo_t < struct thread *T > {
	cpu_id = T->td_oncpu;
	cpu_pset = 0;
	cpu_chip = 0;
	cpu_lgrp = 0;
};

inline psinfo_t *curpsinfo = xlate < psinfo_t * > (curthread->td_proc);
inline lwpsinfo_t *curlwpsinfo = xlate < lwpsinfo_t * > (curthread);
inline cpuinfo_t *curcpu = xlate < cpuinfo_t * > (curthread);
inline string execargs = curpsinfo->pr_psargs;

/*
 * progenyof(p): whether process p is the current one or one of its ancestors, up to sixteen generations
 * back. D has no loops, so the way up is taken in steps; init's parent's own is NULL.
 */
this struct proc *__ancestor;
this int __wanted;
this int __found;
inline int __look_up = this->__ancestor == NULL ? 0 :
    (this->__found = this->__found || this->__ancestor->p_pid == this->__wanted,
    this->__ancestor = this->__ancestor->p_pptr, 0);
inline int __progenyof[int p] = (this->__wanted = p, this->__ancestor = curthread->td_proc,
    this->__found = 0,
    __look_up, __look_up, __look_up, __look_up, __look_up, __look_up, __look_up, __look_up,
    __look_up, __look_up, __look_up, __look_up, __look_up, __look_up, __look_up, __look_up,
    __look_up, this->__found);

/*
 * A file's path, by the names that the kernel's cache has for it and the directories above: up to
 * eight, then "...". The cache may have forgotten them ("<unknown>").
 */
this struct vnode *__at;
this string __walked;
inline struct namecache *__entry = this->__at->v_cache_dst.tqh_first;
inline string __entry_name =
    stringof((char *)((uintptr_t)__entry + offsetof(struct namecache, nc_name)));
/* VV_ROOT: the top of a file system. */
inline int __at_top = this->__at->v_vflag & 1;
inline string __step = __at_top || __entry == NULL ? this->__walked :
    (this->__walked = strjoin("/", strjoin(__entry_name, this->__walked)),
    this->__at = __entry->nc_dvp, this->__walked);
inline string __mounted_on = stringof(this->__at->v_mount->mnt_stat.f_mntonname);
inline string __path[struct vnode *V] = (this->__at = V, this->__walked = "",
    __step, __step, __step, __step, __step, __step, __step, __step,
    __at_top ? __mounted_on == "/" ? (this->__walked == "" ? "/" : this->__walked) :
    strjoin(__mounted_on, this->__walked) :
    this->__walked == "" ? "<unknown>" : strjoin("...", this->__walked));

translator fileinfo_t < struct file *F > {
	fi_name = F == NULL ? "<none>" : F->f_vnode == NULL ? "<unknown>" : basename(__path[F->f_vnode]);
	fi_dirname = F == NULL ? "<none>" :
	    F->f_vnode == NULL ? "<unknown>" : dirname(__path[F->f_vnode]);
	fi_pathname = F == NULL ? "<none>" : F->f_vnode == NULL ? "<unknown>" : __path[F->f_vnode];
	fi_mount = F == NULL ? "<none>" : F->f_vnode == NULL || F->f_vnode->v_mount == NULL ?
	    "<unknown>" : stringof(F->f_vnode->v_mount->mnt_stat.f_mntonname);
	fi_fs = F == NULL ? "<none>" : F->f_vnode == NULL || F->f_vnode->v_mount == NULL ?
	    "<unknown>" : stringof(F->f_vnode->v_mount->mnt_stat.f_fstypename);
	fi_offset = F == NULL ? 0 : F->f_offset;
	/* The kernel's flags are open(2)'s plus one. */
	fi_oflags = F == NULL ? 0 : (int)F->f_flag - 1;
};

/* An open file of the current process, by descriptor; none if there is none of that number. */
inline struct fdescenttbl *__files = curthread->td_proc->p_fd->fd_files;
inline struct file *__getf[int fd] = fd >= 0 && curthread->td_proc->p_fd != NULL &&
    fd < __files->fdt_nfiles ?
    ((struct filedescent *)((uintptr_t)__files + offsetof(struct fdescenttbl, fdt_ofiles)))[fd].fde_file :
    (struct file *)NULL;
inline fileinfo_t fds[int fd] = xlate < fileinfo_t > (__getf[fd]);

/* The current process's working directory and root. */
inline string cwd = __path[curthread->td_proc->p_pd->pd_pwd.__ptr->pwd_cdir];
inline string root = __path[curthread->td_proc->p_pd->pd_pwd.__ptr->pwd_rdir];

/* fi_oflags, and open(2)'s flags. */
inline int O_ACCMODE = 0x3;
inline int O_RDONLY = 0;
inline int O_WRONLY = 0x1;
inline int O_RDWR = 0x2;
inline int O_NONBLOCK = 0x4;
inline int O_NDELAY = 0x4;
inline int O_APPEND = 0x8;
inline int O_SYNC = 0x80;
inline int O_NOFOLLOW = 0x100;
inline int O_CREAT = 0x200;
inline int O_TRUNC = 0x400;
inline int O_EXCL = 0x800;
inline int O_NOCTTY = 0x8000;
inline int O_DIRECT = 0x10000;
inline int O_DIRECTORY = 0x20000;
inline int O_CLOEXEC = 0x100000;
inline int O_DSYNC = 0x1000000;

/* socket(2)'s address families. */
inline int AF_UNSPEC = 0;
inline int AF_UNIX = 1;
inline int AF_LOCAL = 1;
inline int AF_INET = 2;
inline int AF_INET6 = 28;

translator bufinfo_t < struct bio *B > {
	b_cmd = B->bio_cmd;
	b_flags = B->bio_flags;
	b_bcount = B->bio_bcount;
	b_addr = (uintptr_t)B->bio_data;
	b_blkno = 0;
	b_lblkno = 0;
	b_resid = B->bio_resid;
	b_bufsize = 0;
	b_error = B->bio_error;
};

translator devinfo_t < struct devstat *D > {
	dev_major = D->device_number;
	dev_minor = D->unit_number;
	dev_instance = 0;
	dev_type = D->device_type;
	dev_name = stringof(D->device_name);
	dev_statname = stringof(D->device_name);
	dev_pathname = stringof(D->device_name);
};

/* b_cmd. */
inline int BIO_READ = 1;
inline int BIO_WRITE = 2;
inline int BIO_DELETE = 3;
inline int BIO_GETATTR = 4;
inline int BIO_FLUSH = 5;
inline int BIO_CMD0 = 6;
inline int BIO_CMD1 = 7;
inline int BIO_CMD2 = 8;
inline int BIO_ZONE = 9;

/* b_flags. */
inline int BIO_ERROR = 1;
inline int BIO_DONE = 2;
inline int BIO_ONQUEUE = 4;
inline int BIO_ORDERED = 8;
inline int BIO_UNMAPPED = 16;
inline int BIO_TRANSIENT_MAPPING = 32;
inline int BIO_VLIST = 64;

/* dev_type: the kind of a device, and how it is attached. */
inline int DEVSTAT_TYPE_DIRECT = 0;
inline int DEVSTAT_TYPE_SEQUENTIAL = 1;
inline int DEVSTAT_TYPE_PRINTER = 2;
inline int DEVSTAT_TYPE_PROCESSOR = 3;
inline int DEVSTAT_TYPE_WORM = 4;
inline int DEVSTAT_TYPE_CDROM = 5;
inline int DEVSTAT_TYPE_SCANNER = 6;
inline int DEVSTAT_TYPE_OPTICAL = 7;
inline int DEVSTAT_TYPE_CHANGER = 8;
inline int DEVSTAT_TYPE_COMM = 9;
inline int DEVSTAT_TYPE_ASC0 = 10;
inline int DEVSTAT_TYPE_ASC1 = 11;
inline int DEVSTAT_TYPE_STORARRAY = 12;
inline int DEVSTAT_TYPE_ENCLOSURE = 13;
inline int DEVSTAT_TYPE_FLOPPY = 14;
inline int DEVSTAT_TYPE_MASK = 0xf;
inline int DEVSTAT_TYPE_IF_SCSI = 0x10;
inline int DEVSTAT_TYPE_IF_IDE = 0x20;
inline int DEVSTAT_TYPE_IF_OTHER = 0x30;
inline int DEVSTAT_TYPE_IF_MASK = 0xf0;
inline int DEVSTAT_TYPE_PASS = 0x100;

/* The same in words. */
inline string device_type_string[int type] =
    type == DEVSTAT_TYPE_DIRECT ? "DIRECT" :
    type == DEVSTAT_TYPE_SEQUENTIAL ? "SEQUENTIAL" :
    type == DEVSTAT_TYPE_PRINTER ? "PRINTER" :
    type == DEVSTAT_TYPE_PROCESSOR ? "PROCESSOR" :
    type == DEVSTAT_TYPE_WORM ? "WORM" :
    type == DEVSTAT_TYPE_CDROM ? "CDROM" :
    type == DEVSTAT_TYPE_SCANNER ? "SCANNER" :
    type == DEVSTAT_TYPE_OPTICAL ? "OPTICAL" :
    type == DEVSTAT_TYPE_CHANGER ? "CHANGER" :
    type == DEVSTAT_TYPE_COMM ? "COMM" :
    type == DEVSTAT_TYPE_ASC0 ? "ASC0" :
    type == DEVSTAT_TYPE_ASC1 ? "ASC1" :
    type == DEVSTAT_TYPE_STORARRAY ? "STORARRAY" :
    type == DEVSTAT_TYPE_ENCLOSURE ? "ENCLOSURE" :
    type == DEVSTAT_TYPE_FLOPPY ? "FLOPPY" :
    strjoin("UNKNOWN(", strjoin(lltostr(type), ")"));
inline string device_type[int type] = device_type_string[type & DEVSTAT_TYPE_MASK];
inline string device_if_string[int type] =
    type == 0 ? "ACCESS" :
    type == DEVSTAT_TYPE_IF_SCSI ? "SCSI" :
    type == DEVSTAT_TYPE_IF_IDE ? "IDE" :
    type == DEVSTAT_TYPE_IF_OTHER ? "OTHER" :
    strjoin("UNKNOWN(", strjoin(lltostr(type), ")"));
inline string device_if[int type] = device_if_string[type & DEVSTAT_TYPE_IF_MASK];
inline string bio_cmd_string[int cmd] =
    cmd == BIO_READ ? "READ" :
    cmd == BIO_WRITE ? "WRITE" :
    cmd == BIO_DELETE ? "DELETE" :
    cmd == BIO_GETATTR ? "GETATTR" :
    cmd == BIO_FLUSH ? "FLUSH" :
    cmd == BIO_CMD0 ? "CMD0" :
    cmd == BIO_CMD1 ? "CMD1" :
    cmd == BIO_CMD2 ? "CMD2" :
    cmd == BIO_ZONE ? "ZONE" :
    strjoin("UNKNOWN(", strjoin(lltostr(cmd), ")"));
inline string bio_flag_string[int flag] =
    flag == BIO_ERROR ? "ERROR" :
    flag == BIO_DONE ? "DONE" :
    flag == BIO_ONQUEUE ? "ONQUEUE" :
    flag == BIO_ORDERED ? "ORDERED" :
    flag == BIO_UNMAPPED ? "UNMAPPED" :
    flag == BIO_TRANSIENT_MAPPING ? "TRANSIENT_MAPPING" :
    flag == BIO_VLIST ? "VLIST" :
    "";
