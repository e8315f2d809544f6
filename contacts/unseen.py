"""What a sync could not see, told to those who can change it: WeCom leaves out in silence what an app may not read."""

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.faults import Words
from tenants.models import Job


def unseen_by(job: Job) -> list[Words]:
    """Cause and fix of each gap in the finished stages of a sync or a comparison."""
    return list(_told(job.counts))


def last_unseen(tenant_id: int) -> list[Words]:
    """As the last whole sync or comparison found it."""
    jobs = Job.objects.filter(tenant_id=tenant_id, kind__in=["sync", "reconcile"], state=Job.State.DONE)
    job = jobs.filter(params={}).order_by("-id").first()
    return unseen_by(job) if job else []


def _told(counts: Mapping[str, int]) -> Iterator[Words]:
    if n := counts.get("staff_unseen", 0):
        yield Words(
            ngettext(
                "有 %(n)d 名员工不在应用的可见范围内：看不到姓名和部门，客户也可能不完整。",
                "有 %(n)d 名员工不在应用的可见范围内：看不到姓名和部门，客户也可能不完整。",
                n,
            )
            % {"n": n},
            _("在企业微信管理后台的应用详情页，把他们或所在部门加入「可见范围」，再点「立即同步」；已离职的无需处理。"),
        )
    if n := counts.get("staff_without_right", 0):
        yield Words(
            ngettext(
                "有 %(n)d 名员工没有客户联系权限，他们的客户不会同步。",
                "有 %(n)d 名员工没有客户联系权限，他们的客户不会同步。",
                n,
            )
            % {"n": n},
            _("需要时在「客户与上下游 → 客户联系 → 权限配置」的使用范围中加入他们；不做客户联系的员工无需处理。"),
        )
    if n := counts.get("staff_refused", 0):
        yield Words(
            ngettext(
                "企业微信没有提供 %(n)d 名员工的客户，这些客户保持上一次的样子。",
                "企业微信没有提供 %(n)d 名员工的客户，这些客户保持上一次的样子。",
                n,
            )
            % {"n": n},
            _("检查他们的客户联系权限和互通账号许可，再点「立即同步」。"),
        )
    if n := counts.get("follows_in_doubt", 0):
        yield Words(
            ngettext(
                "企业微信这次一位客户也没有返回，%(n)d 段好友关系没有按流失处理。",
                "企业微信这次一位客户也没有返回，%(n)d 段好友关系没有按流失处理。",
                n,
            )
            % {"n": n},
            _("确认应用的可见范围和客户联系权限没有被误改，再点「立即同步」。"),
        )
    if n := counts.get("tags_in_doubt", 0):
        yield Words(
            ngettext(
                "企业微信这次一个标签也没有返回，%(n)d 个标签没有按已删除处理。",
                "企业微信这次一个标签也没有返回，%(n)d 个标签没有按已删除处理。",
                n,
            )
            % {"n": n},
            _("确认应用的客户联系权限没有被误改，再点「立即同步」；标签确实全部删除了的，下次核对时会一并处理。"),
        )
