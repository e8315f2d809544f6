import pytest
from django.utils import timezone
from contacts.models import *
from tagging import rules, runs, corp_tags
from tagging.models import *
from tagging.triggers import Fact
from tenants import outbox
from tenants.jobs import run_to_end
from tenants.models import Job, OutgoingCall
from tests.browser import console, fits
from tests.tagging.test_in_a_browser import at_work, work
from tests.pages import assert_no_axe_faults
D="/tmp/h-tags/"
def test_shots(console, at_work, sandbox):
    with at_work:
        corp_tags.add_tags(["高","中","低"], group_name="意向", by="lin", source="console")
        outbox.deliver_due(urgent=False)
        g=TagGroup.objects.get(name="意向")
        foreign=Tag.objects.exclude(group=g).exclude(group__wecom_id="").first()
        corp_tags.rename(foreign,"改名",by="lin",source="console")
        outbox.deliver_due(urgent=False)
        corp_tags.add_tags(["待"], group=g, by="lin", source="console")
        tag=Tag.objects.get(name="高")
        follow=Follow.objects.living().select_related("staff","customer").first()
        sandbox.act("staff_deletes_customer", userid=follow.staff.userid, external_userid=follow.customer.external_userid)
        run=runs.begin(runs.friendships(CustomerFacts.objects.known()), add=[tag], by="林", filters={"words":["标签（任一）：门店"]})
        run_to_end(Job.objects.get(pk=run.job_id)); outbox.deliver_due(urgent=False, limit=13)
        Follow.objects.update(added_at=timezone.now())
        rule=rules.save(TagRule(trigger="added",enabled=True),name="展会添加",conditions={"staff":[follow.staff_id],"time":{"from":"00:00","to":"23:59"}},add=[Tag.objects.get(name="低")],remove=[tag],by="lin")
        rules.fire("added",[Fact(f.pk,f"a{f.pk}",timezone.now(),{"staff":f.staff_id,"state":""}) for f in Follow.objects.all()])
        outbox.deliver_due(urgent=False, limit=3)
        gp,rp,up=g.pk,run.pk,rule.pk
        CorpApp=None
    for w in (1440,375):
        for name,path in (("tags","/console/tags/"),("group",f"/console/tags/groups/{gp}/"),("run",f"/console/tag-runs/{rp}/"),("runs","/console/tag-runs/"),("rules","/console/tag-rules/"),("rule",f"/console/tag-rules/{up}/"),("ruleform",f"/console/tag-rules/{up}/edit/"),("drawer","/console/tag-runs/new/?all=1&query=%3Fq%3D"),("customers","/console/customers/")):
            page=console.open(at_work,path,width=w,role="owner" if not console.contexts else "") if False else None
            from accounts.models import Operator
            with at_work: Operator.objects.filter(username="the-owner").delete()
            page=console.open(at_work,path,width=w)
            page.wait_for_timeout(600)
            if name=="customers":
                page.locator("[data-bulk-one]").first.check()
            if name=="rule":
                page.locator("#trial-body summary").click()
            page.screenshot(path=f"{D}{name}-{w}.png", full_page=True)
            print(name,w,"fits",fits(page))
            try: assert_no_axe_faults(page)
            except AssertionError as e: print("AXE",name,w,str(e)[:600])
            page.context.close(); console.contexts.clear()
