"""`p4 status` and `p4 ls`: what a running node tells of itself, and what the files tell without one."""
