"""What SQL a model needs: the names of its keys, its policies, what the files on disk write and what they lack."""
