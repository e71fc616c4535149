#pragma D nosuch x
plain:::go { }
