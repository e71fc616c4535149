/* An aggregation buffer without room for any key. */
#pragma D option quiet
#pragma D option aggsize=8
BEGIN { @ = count(); @x["key"] = sum(3); exit(0); }
