"""The third group: what the durable relation costs, figure by figure, beside the raw library in the same run.

`worker` is a process with nodes that does what it is told (its actions are in `worker_messages`,
`worker_streams` and `worker_contacts`), `remote` is the end that tells it. `traffic`, `endurance` and
`crowds` are the parts that are measured; `measure` runs them and keeps a failed one from stopping the others.
"""
