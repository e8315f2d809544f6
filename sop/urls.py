from django.urls import path

from sop import assignment_pages, enrolment_pages, plan_pages, rule_pages, task_pages

app_name = "sop"
urlpatterns = [
    path("sop/", plan_pages.index, name="plans"),
    path("sop/rule/", rule_pages.rule, name="rule"),
    path("sop/new/", plan_pages.new, name="new_plan"),
    path("sop/<int:pk>/", plan_pages.detail, name="plan"),
    path("sop/<int:pk>/settings/", plan_pages.settings, name="plan_settings"),
    path("sop/<int:pk>/steps/new/", plan_pages.new_step, name="new_step"),
    path("sop/<int:pk>/publish/", plan_pages.publish, name="publish"),
    path("sop/<int:pk>/discard/", plan_pages.discard, name="discard"),
    path("sop/<int:pk>/switch/", plan_pages.switch, name="switch"),
    path("sop/<int:pk>/upgrade/", plan_pages.upgrade_running, name="upgrade"),
    path("sop/<int:pk>/archive/", plan_pages.archive, name="archive"),
    path("sop/<int:pk>/simulate/", plan_pages.simulate, name="simulate"),
    path("sop/<int:pk>/dry-run/", plan_pages.dry_run, name="dry_run"),
    path("sop/<int:pk>/customers/", enrolment_pages.enrolments, name="enrolments"),
    path("sop/steps/<int:pk>/", plan_pages.step, name="step"),
    path("sop/steps/<int:pk>/drop/", plan_pages.drop_step, name="drop_step"),
    path("sop/customers/<int:pk>/leave/", enrolment_pages.leave, name="leave"),
    path("tasks/", task_pages.index, name="board"),
    path("tasks/list/", task_pages.tasks, name="tasks"),
    path("tasks/<int:pk>/", task_pages.task, name="task"),
    path("tasks/staff/<int:pk>/urge/", task_pages.urge, name="urge"),
    path("tasks/assignments/", assignment_pages.index, name="assignments"),
    path("tasks/assignments/new/", assignment_pages.new, name="new_assignment"),
    path("tasks/assignments/<int:pk>/", assignment_pages.detail, name="assignment"),
    path("tasks/assignments/<int:pk>/edit/", assignment_pages.change, name="edit_assignment"),
    path("tasks/assignments/<int:pk>/publish/", assignment_pages.publish, name="publish_assignment"),
    path("tasks/assignments/<int:pk>/mass/", assignment_pages.by_mass, name="mass_assignment"),
    path("tasks/assignments/<int:pk>/stop/", assignment_pages.stop, name="stop_assignment"),
]
