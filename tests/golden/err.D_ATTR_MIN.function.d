/* options: -x amin=Stable/Stable/Common */
dtrace:::BEGIN { trace(ntohs(1)); exit(0); }
