/* What assigning to an aggregation gives is no place. */
BEGIN { (@a = count()) = count(); }
