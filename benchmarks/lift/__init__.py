"""The lab: recipes run over the real sets, one row a run; the tables and the conclusions are made of the rows."""
