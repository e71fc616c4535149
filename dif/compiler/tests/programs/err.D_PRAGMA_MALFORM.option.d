#pragma D option
plain:::go { }
