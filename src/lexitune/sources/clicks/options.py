"""Options of reading search logs."""

from dataclasses import dataclass, field

__all__ = ["LogsOptions"]


@dataclass(frozen=True)
class LogsOptions:
    """What a log's columns are, what is left out, and how clicks become judgements."""

    map: str | None = field(
        default=None,
        metadata={
            "help": "What the columns of another format are: query=col3,doc=url,time=ts,session=sid "
            "(also client, search, position, action, clicked, shown, dwell, address, agent, source)"
        },
    )
    timezone: str | None = field(
        default=None, metadata={"help": "Zone of times that name none, such as Europe/London or UTC"}
    )
    first_position: int | None = field(
        default=None,
        metadata={"help": "The number of the first result; not set: found out for each source", "least": 0, "most": 1},
    )
    click_actions: str = field(
        default="click,item_click,search_click,result_click,add_to_cart,purchase,conversion,convert",
        metadata={"help": "Actions that count as a click, separated by commas"},
    )
    session_gap_minutes: float = field(
        default=30.0,
        metadata={"help": "Where no session is given: a client's silence that ends one", "least": 1.0, "most": 1440.0},
    )
    click_minutes: float = field(
        default=30.0,
        metadata={"help": "A click that comes later after its search is left out", "least": 0.1, "most": 1440.0},
    )
    robot_searches: int = field(
        default=30, metadata={"help": "A client with more searches in a minute is left out as a robot", "least": 1}
    )
    internal: str | None = field(
        default=None, metadata={"help": "Networks whose traffic is left out, such as 10.0.0.0/8,192.0.2.7"}
    )
    skip_queries: str = field(
        default=r"\*(:\*)?|test|ping|health ?-?check",
        metadata={"help": "Searches that are left out: a pattern for the whole text"},
    )
    clicks: str = field(
        default="all",
        metadata={
            "help": "all: every click counts; satisfied: only those with a dwell time not among the shortest of the "
            "source, or that end a session",
            "choices": ("all", "satisfied"),
        },
    )
    short_share: float = field(
        default=0.3,
        metadata={"help": "With satisfied: this share of a source's clicks is short", "least": 0.0, "most": 0.9},
    )
    correction: str = field(
        default="coec",
        metadata={
            "help": "coec: clicks over what the rank brings on average; position: over what a rank's examination "
            "brings; ips: clicks divided by examination; none: clicks as they are",
            "choices": ("coec", "position", "ips", "none"),
        },
    )
    examination: str = field(
        default="auto",
        metadata={
            "help": "harvest: from passages shown at several ranks; em: from a position-based model; curve: 1 / rank "
            "** curve_power; auto: harvest, and the curve where too few passages moved",
            "choices": ("auto", "harvest", "em", "curve"),
        },
    )
    curve_power: float = field(
        default=1.0, metadata={"help": "Examination falls as 1 / rank to this power", "least": 0.0, "most": 4.0}
    )
    clip: float = field(
        default=0.1, metadata={"help": "With ips: the least examination to divide by", "least": 0.01, "most": 1.0}
    )
    depth: int = field(default=20, metadata={"help": "Ranks below this one are left out", "least": 1, "most": 1000})
    prior: float = field(
        default=10.0, metadata={"help": "Sessions that average attraction weighs as much as", "least": 0.1}
    )
    least_shown: int = field(
        default=5, metadata={"help": "A passage needs so many sessions that were shown it", "least": 1}
    )
    least_sessions: int = field(default=3, metadata={"help": "A query needs so many sessions", "least": 1})
    least_of_best: float = field(
        default=0.5,
        metadata={
            "help": "A passage is right if it is clicked, its rank considered, at least so many times as often as the "
            "best of its query; 0: the best does not matter",
            "least": 0.0,
            "most": 1.0,
        },
    )
    most_per_query: int = field(
        default=10, metadata={"help": "Most right passages of a query, so that frequent ones do not swamp", "least": 1}
    )
    least_skipped: int = field(
        default=2, metadata={"help": "Sessions that skip a passage before it may be a hard negative", "least": 1}
    )
    max_bad_share: float = field(
        default=0.05,
        metadata={"help": "Stop when more than this share of rows cannot be read", "least": 0.0, "most": 1.0},
    )
