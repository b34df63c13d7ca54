"""The strategies that advisor ships, one file each, found through entry points like anybody else's."""
