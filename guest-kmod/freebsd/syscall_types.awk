# SPDX-License-Identifier: BSD-2-Clause
# Reads sys/sysproto.h and writes the types of every system call's arguments, by its number.
# A call has a structure `NAME_args`, an argument in it a line with `PADL_(TYPE)`.
BEGIN {
	print "/* Made from sys/sysproto.h by syscall_types.awk. */"
	print "static const char *const ht_syscall_types[SYS_MAXSYSCALL] = {"
}
/^struct [a-z0-9_A-Z]*_args [{]/ {
	name = substr($2, 1, length($2) - 5)
	types = ""
}
match($0, /PADL_\(.*\)\]; /) {
	type = substr($0, RSTART + 6, RLENGTH - 6)
	sub(/\)\]; .*/, "", type)
	types = types (types == "" ? "" : ", ") type
}
/^[}];/ && name != "" {
	if (types != "") {
		printf "#ifdef SYS_%s\n\t[SYS_%s] = \"%s\",\n#endif\n", name, name, types
	}
	name = ""
}
END {
	print "};"
}
