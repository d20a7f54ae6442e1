"""Terms: a loss, where it reads, its weight."""

from mmkd_video.terms.pair import Pair
from mmkd_video.terms.spec import TERMS, TermSpec
from mmkd_video.terms.term import Term, parse_terms

__all__ = ['TERMS', 'Pair', 'Term', 'TermSpec', 'parse_terms']
