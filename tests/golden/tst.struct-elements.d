/* options: -q */
/*
 * Elements of an associative array that are structures are there, all zeroes, as soon as one of
 * their members is read or written: array and thread-local structures alike. alloca() gives zeroes,
 * whatever the clause before it left in scratch.
 */
struct callinfo {
	uint64_t calls;
	size_t most;
	char tag[3];
};
struct callinfo info[string];
struct callinfo grid[int, string];
self struct callinfo mine;
self struct callinfo by[int];

BEGIN
{
	info["read"].calls++;
	info["read"].calls += 4;
	info["read"].most = 10;
	info["read"].tag[1] = 'x';
	printf("%d %d %c\n", info["read"].calls, info["read"].most, info["read"].tag[1]);
	printf("%d %d\n", info["write"].calls, info["write"].tag[1]);
}

BEGIN
{
	grid[1, "a"].most = 7;
	grid[2, "a"].most = 8;
	grid[2, "b"] = grid[1, "a"];
	printf("%d %d %d\n", grid[1, "a"].most, grid[2, "a"].most, grid[2, "b"].most);
}

BEGIN
{
	self->mine.calls = 3;
	self->mine.calls++;
	self->by[9].most--;
	printf("%d %d %d\n", self->mine.calls, self->mine.most, (int)self->by[9].most);
}

BEGIN
{
	this->p = (uint64_t *)alloca(16);
	*this->p = 0x1122334455667788;
	printf("%x %x\n", this->p[0], this->p[1]);
}

BEGIN
{
	this->p = (uint64_t *)alloca(16);
	printf("%x %x\n", this->p[0], this->p[1]);
	exit(0);
}
