"""Terms: a loss, where it reads, its weight."""

from mmkd_video.terms.pair import Pair
from mmkd_video.terms.spec import TermSpec
from mmkd_video.terms.term import Term, parse_terms

__all__ = ['Pair', 'Term', 'TermSpec', 'parse_terms']
