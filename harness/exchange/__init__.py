"""The signed files the parties exchange: records, XML with XML-DSig, and the folder they pass through."""
