"""What the review looks at and how: ordinary Python that the notebooks of this template show.

Read it in the order of the phases: `collecting`, `static`, `testing`, `file_review`,
`notebook_review`, `aggregating`, `publishing`. Nothing here knows the workflow engine.
"""
