vm-*:proc:::exec { printf("%s: user = %u, gid = %u: %s\n", vmname, uid, gid, stringof(args[0])); }
vm-*:fbt::submit_bio:entry { @[vmname, immstack()] = count(); }
Linux-6*:syscall:::entry { @c[vmname, execname] = count(); }
tick-5s { exit(0); }
vm-web-*:syscall::read:entry { self->ts = timestamp; }
vm-web-*:syscall::read:return /self->ts/ { @q[vmname] = quantize(timestamp - self->ts); self->ts = 0; }
vm-*:proc:::exec { n++; }
vm-*:proc:::exec /n % 100 == 0/ { printf("%d execs over all guests, last on %s", n, vmname); }
