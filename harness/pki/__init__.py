"""A toy SMKI for rehearsals: the confirmed certificate profile, seeded keys, and no authority whatsoever."""
