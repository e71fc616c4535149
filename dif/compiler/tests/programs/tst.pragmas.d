#pragma D option quiet
#pragma D option bufsize=4m
plain:::go { }
