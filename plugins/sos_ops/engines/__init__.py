"""Analysis engines that run inside the platform; partners' own engines write into their tables from outside."""
