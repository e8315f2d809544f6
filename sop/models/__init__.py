"""SOP plans and the tasks of staff, whether a plan or headquarters made them."""

from sop.models.plan import Enrolment, Plan, PlanVersion, Step, StepRun
from sop.models.rule import SendRule
from sop.models.task import Assignment, StaffTask

__all__ = ["Assignment", "Enrolment", "Plan", "PlanVersion", "SendRule", "StaffTask", "Step", "StepRun"]
