#!/usr/sbin/dtrace -qs
/* What scripts do all the time: defaults of arguments, columns, units, several probes. */
#pragma D option quiet
#pragma D option switchrate=10hz
#pragma D option defaultargs
inline int N = $1 ? $1 : 10;
inline string W = $$2 == "" ? "all" : $$2;
this string s;
self string who;
dtrace:::BEGIN
{
	printf("%d %s\n", N, W);
	self->who = "me";
	start = timestamp;
	this->c = (char *)alloca(4);
	this->c[0] = 'h';
	this->c[1] = 'i';
	printf("%s %s\n", (string)this->c, stringof(this->c));
	this->s = strjoin(probefunc, strjoin(":", probename));
	printf("%s\n", this->s);
	this->d = 3000000;
	printf("%d.%03d ms\n", this->d / 1000000, (this->d % 1000000) / 1000);
	printf("%-5s %6s|%-8d|%8d|\n", "UID", "PID", 7, 8);
}
dtrace:::BEGIN /(this->z = timestamp - start) >= 0 && this->z < 100000000000/ { printf("pred\n"); }
dtrace:::BEGIN,
dtrace:::END { printf("%s %s\n", probename, self->who); }
tick-1msec { n++; }
profile:::tick-2ms /n >= 2/ { exit(0); }
