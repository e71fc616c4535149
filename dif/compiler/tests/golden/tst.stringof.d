BEGIN { trace(stringof(arg0)); trace(stringof("a")); trace(stringof((char *)arg0)); trace((string)arg0); trace(stringof((int *)arg0)); }
