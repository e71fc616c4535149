plain:::go
{
	trace(&`jiffies); trace(*(int *)&vmlinux`jiffies);
}
