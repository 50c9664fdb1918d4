"""Pictures of the lifecycle: a table becomes one plain model, a journal becomes paint, and renderers draw both.

Start at `lifecycle.diagram.model`. No renderer reads the table, and none knows a state by its name.
"""
