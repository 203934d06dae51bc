"""Asks a dataset the questions of docs/questions.md, and reads the tables of `loopy export`.

    export.py DATASET TABLES QUESTIONS
"""
import json
import os
import re
import sys

import duckdb

dataset, tables, questions = sys.argv[1:4]
with open(questions, encoding="utf-8") as page:
    statements = re.findall(r"```sql\n(.*?)```", page.read(), re.DOTALL)
assert len(statements) == 3
decisions = [json.loads(line) for line in open(f"{dataset}/selection.jsonl", encoding="utf-8")]
os.chdir(dataset)
funnel, rotation, barren = [duckdb.sql(statement).fetchall() for statement in statements]
assert sum(row[1] for row in funnel) == len(decisions)
quantiles, kept, more = rotation[0]
assert len(quantiles) == 3 and 0 <= kept <= more <= 1
useful = {one["path"] for one in decisions if one["decision"] == "accept"}
assert {row[0] for row in barren} == {one["path"] for one in decisions} - useful

os.chdir(tables)
lines = [json.loads(line) for line in open(f"{dataset}/selection.jsonl", encoding="utf-8")]
rows = duckdb.sql("SELECT path, start, rule, key FROM 'selection.parquet'").fetchall()
assert rows == [(one["path"], one["start"], one.get("rule"), one.get("key")) for one in lines]
types = {row[0]: row[1] for row in duckdb.sql("DESCRIBE SELECT * FROM 'measurements.parquet'").fetchall()}
assert types["rotation"] == "DOUBLE" and types["syncnet_confidence"] == "DOUBLE" and types["start"] == "BIGINT"
described = duckdb.sql("SELECT value FROM parquet_kv_metadata('measurements.parquet') WHERE key = 'rotation'").fetchall()
assert b"30 degrees" in described[0][0], described
assert duckdb.sql("SELECT count(*) FROM 'sources.parquet'").fetchall()[0][0] == sum(1 for _ in open(f"{dataset}/sources.jsonl"))
assert duckdb.sql("SELECT reason FROM 'failures.parquet'").fetchall() != []
