"""From a name to networks: known models, the hub, folders, single files, memory, licences."""
