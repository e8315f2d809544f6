"""Tags put on by hand and by rule, and the groups of people (人群包) that conditions describe."""

from tagging.models.origin import TagOrigin
from tagging.models.rule import RuleHit, TagRule
from tagging.models.run import TagRun, TagRunItem
from tagging.models.segment import Segment, SegmentMember

__all__ = ["RuleHit", "Segment", "SegmentMember", "TagOrigin", "TagRule", "TagRun", "TagRunItem"]
