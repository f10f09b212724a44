"""How annotations are checked in the tests: by beartype, which takes an int for a float as Python's type system does."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
