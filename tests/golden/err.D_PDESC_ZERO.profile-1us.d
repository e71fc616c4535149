/* The shortest interval is 200 microseconds. */
profile-1us {}
