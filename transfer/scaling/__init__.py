"""Work on several machines: the engine of `training` on a Ray cluster. Nothing here is needed on one machine."""
