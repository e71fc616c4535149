#pragma D option amin=Stable/Stable/Common
dtrace:::BEGIN /curthread == NULL/ { exit(0); }
