"""Reports: a document of headings, text, tables and figures, as one page of HTML and as Markdown."""
