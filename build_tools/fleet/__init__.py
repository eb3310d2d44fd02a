"""Several servers on one repository: who they are, what each says of itself, and how many have to agree."""
