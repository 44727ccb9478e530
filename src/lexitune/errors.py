"""Errors: one tree, one table of codes. The first digit of a code is the exit code.

LexituneError
├── StageFailed   E1xxx  exit 1   the work itself failed (NaN, collapse, disk)
├── UsageError    E2xxx  exit 2   the command or an option is wrong
├── DataError     E3xxx  exit 3   the input is wrong
├── GateRefused   E4xxx  exit 4   a shown failure: the challenger must not serve
└── Undecided     E5xxx  exit 5   too little evidence: label more

An interrupt is `KeyboardInterrupt`, exit 130: what was done is kept and the same command resumes.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CODES",
    "DataError",
    "GateRefused",
    "LexituneError",
    "StageFailed",
    "Undecided",
    "UsageError",
]

CODES = {
    # E10xx  workspace and files
    "E1000": "a fault in lexitune itself",
    "E1001": "a file could not be written",
    "E1002": "another process works in this workspace",
    "E1003": "vectors that must not be stored",
    "E1004": "the system refuses a file or folder",
    "E1005": "too little memory",
    # E11xx  models and encoding
    "E1101": "a text that encodes to a vector that is not a number",
    "E1102": "a service that gives no vectors",
    "E1103": "a service's answer that is no vector for each text",
    "E1104": "a cluster that cannot be reached",
    "E1105": "a worker that failed",
    "E1106": "an upload that failed",
    # E12xx  training
    "E1201": "a loss, gradient or weight that is not a number",
    "E1202": "a model that collapsed in training",
    "E1203": "too little memory for a training step",
    "E1204": "too little disk space for a training",
    # E13xx  the stages after training
    "E1301": "a staged index that failed its check",
    "E1302": "a store that cannot be reached",
    "E1303": "a store that refuses what it is asked",
    "E1304": "too little disk space for vectors",
    "E1305": "a rollback that needs a store that cannot be reached",
    # E20xx  options, names, commands
    "E2001": "unknown option or key",
    "E2002": "a value of the wrong kind",
    "E2003": "unknown name in a registry",
    "E2004": "a spec that cannot be read",
    "E2005": "a package of an extra is missing",
    "E2011": "unknown command",
    "E2012": "arguments that do not fit the command",
    "E2013": "no workspace",
    "E2014": "a question that nobody is there to answer",
    "E2015": "nothing serves yet",
    "E2016": "several processes where one is enough",
    "E2017": "a store's address with a password in it",
    "E2018": "a name in a store that belongs to something else",
    "E2019": "texts that may not leave this machine",
    "E2101": "no model of that name",
    "E2102": "remote code without a revision",
    "E2103": "a maximum length beyond what the model can take",
    "E2104": "a device that is not there",
    "E2105": "a number format that this device cannot compute in",
    "E2106": "a memory limit below what the model needs",
    "E2107": "an address or key of a service that can be none",
    "E2108": "a service that knows no such key or model",
    "E2109": "more workers than there is room for",
    "E2121": "training in several processes",
    "E2122": "an output folder that exists already",
    "E2123": "an option that the recipe cannot honour",
    "E2124": "an unfinished training of other data or options",
    "E2125": "a loss without the teacher's scores that it learns from",
    "E2126": "sizes that vectors cannot be cut to",
    "E2127": "training from a model with a query adapter",
    "E2128": "a language without word frequencies",
    "E2129": "a correction that the log cannot give",
    "E2141": "no challenger of that name",
    "E2142": "nothing to roll back to",
    "E2143": "an index that serves",
    "E2144": "a model that something needs",
    "E2145": "a promotion that is forced without a reason",
    "E2146": "no login at the Hub that may write there",
    "E2147": "an upload that everybody would read",
    "E2148": "a store that is left without a reason, or answers",
    # E30xx  reading files
    "E3001": "no such file or folder",
    "E3002": "a file of another kind or encoding",
    "E3003": "no records",
    "E3004": "too many lines that cannot be used",
    "E3005": "one id, two records",
    "E3006": "an id or text that cannot be written",
    "E3007": "columns that cannot be told apart",
    "E3008": "a file cut short",
    "E3009": "no data in the workspace",
    "E3010": "the workspace holds other data",
    "E3011": "a file of the workspace was changed",
    "E3012": "vectors that are incomplete or damaged",
    "E3013": "a score that is no number",
    "E3014": "times without a time zone",
    "E3015": "positions that count both ways",
    "E3016": "a collection's name that is taken",
    "E3017": "too little to tell one source from another",
    "E3018": "a data set older than what was collected",
    # E302x  other people's files
    "E3021": "a cell of a workbook that lost what it held",
    "E3022": "a format that cannot be told",
    "E3023": "a format that is only written",
    "E3024": "a path in a file that leads out of its folder",
    "E3025": "test judgements, which stay sealed",
    "E3026": "labels that a format has no room for",
    "E3027": "a data set on the Hub that cannot be had",
    "E3028": "a split that is not there",
    # E303x  documents, E304x  traces
    "E3031": "a folder without a document that can be read",
    "E3041": "traces of no known format",
    "E3042": "traces of several formats",
    "E3043": "citations that count both ways",
    # E31xx  data sets: ids, splits, leaks
    "E3101": "queries that cannot be split",
    "E3102": "test judgements changed since they were sealed",
    "E3103": "test queries that leak",
    "E3104": "too few queries in general text",
    "E3105": "a slice by a field that no query has",
    "E3121": "no query has a relevant doc",
    "E3122": "a score is not a number",
    "E3123": "a doc stands twice in one ranking",
    "E3124": "a ranking is out of order",
    "E3125": "a model scores everything alike",
    "E3126": "two reports that cannot be compared",
    "E3127": "a report or comparison cannot be read",
    "E3128": "a measure was not measured",
    "E3141": "a vector that is not a number",
    "E3142": "vectors of two widths",
    "E3143": "a filter by a field that no document has",
    "E3144": "a filter that cannot be read",
    "E3145": "vectors that the serving model did not make",
    "E3146": "no index of that name in the store",
    "E3147": "an id without a vector",
    # E32xx  models as input
    "E3201": "a folder that is no model",
    "E3202": "a Hub model that cannot be had",
    "E3203": "a model of parts that cannot be computed here",
    "E3204": "weights as pickle only",
    "E3205": "weights that are not the published ones",
    "E3206": "a model folder whose records disagree",
    "E3207": "a text that a service cannot take",
    # E33xx  what a stage needs from another
    "E3301": "no test queries",
    "E3302": "nothing staged, or another challenger",
    "E3303": "no evaluation of the challenger, or one that cannot be read",
    "E3304": "an index or evaluation of another model or corpus",
    "E3305": "a model or index that should serve is gone",
    "E3306": "a serving line that cannot be read",
    "E3307": "an advice that cannot be read",
    "E3308": "scores of two models that nothing brings together",
    # E332x  training pairs
    "E3321": "no training pairs",
    "E3322": "a judgement of an id without a text",
    "E3323": "nothing to tell the right passage from",
    "E3324": "weights of pairs that cannot be used",
    "E3325": "mined examples that cannot be read",
    # E40xx  gate
    # E50xx  too little evidence
}
"""Every code that can be raised, with its meaning in one line. Codes are never reused."""


class LexituneError(Exception):
    """Something a user can mend.

    Args:
        code: A key of `CODES`.
        problem: What is wrong, with the value as given; lower case, no full stop.
        fix: What to do, if possible a command to paste. Required: no error is raised without advice.
        at: `file:line` where the input is wrong.
    """

    def __init__(self, code: str, problem: str, *, fix: str, at: str = "") -> None:
        if code not in CODES or int(code[1]) != type(self).exit_code != 0:
            raise ValueError(f"{type(self).__name__} cannot carry code {code}")
        super().__init__(f"{at}: {problem}" if at else problem)
        self.code, self.problem, self.fix, self.at = code, problem, fix, at

    exit_code = 0

    def __reduce__(self) -> tuple[Any, ...]:
        # Raised in a worker's process, it is told in ours: code and fix have to come along.
        return _raised_elsewhere, (type(self), self.code, self.problem, self.fix, self.at)

    def __str__(self) -> str:
        return f"error[{self.code}]: {self.args[0]}\n  fix: {self.fix}"


def _raised_elsewhere(kind: type[LexituneError], code: str, problem: str, fix: str, at: str) -> LexituneError:
    return kind(code, problem, fix=fix, at=at)


class StageFailed(LexituneError):
    exit_code = 1


class UsageError(LexituneError):
    exit_code = 2


class DataError(LexituneError):
    exit_code = 3


class GateRefused(LexituneError):
    exit_code = 4


class Undecided(LexituneError):
    exit_code = 5
