"""The process that gets the embedded store's file onto the disk, for all who use that store.

Apart from the relay so that neither its loop nor its interpreter waits for the disk, and one for
all so that one sync serves all workers. It has to be small: standard library only, no event loop,
nothing of the relay but this package. Knows the file's directory and nothing of what is in it.

Read `serving.py` for what it does, `wire.py` for how it is asked; it is started by
`sync_process.py` and asked by `disk.py` of `relay/store/embedded`.
"""
