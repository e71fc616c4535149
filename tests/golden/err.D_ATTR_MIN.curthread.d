/* options: -x amin=Evolving/Evolving/Common */
dtrace:::BEGIN { trace((uint64_t)curthread); exit(0); }
