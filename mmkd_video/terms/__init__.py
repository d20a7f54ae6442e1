"""Terms: a loss, where it reads, its weight."""

from mmkd_video.terms.default_weights import DEFAULT_SHARE, expect_shares, fill_weights
from mmkd_video.terms.pair import Pair
from mmkd_video.terms.spec import TERMS, TermSpec
from mmkd_video.terms.term import Term, parse_terms

__all__ = ['DEFAULT_SHARE', 'TERMS', 'Pair', 'Term', 'TermSpec', 'expect_shares', 'fill_weights', 'parse_terms']
