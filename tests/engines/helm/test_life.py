"""The life of an installed chart on a real cluster: sign-in, a desktop, upgrade, a hub that goes.

In the order of the file: each test goes on where the one before has ended (R2, O1).
"""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.engines.helm.facility import PASSWORD, PERSON
from tests.engines.helm.installation import NAMESPACE, RELEASE, Installed, facility_in
from tests.engines.kubernetes_here import KubernetesHere

pytestmark = [pytest.mark.engines, pytest.mark.browser, pytest.mark.timeout(300)]
SESSION = "daas.session"


@pytest.fixture(scope="module")
def installed(kubernetes: KubernetesHere) -> Iterator[Installed]:
    with facility_in(kubernetes) as place:
        yield place


@pytest.fixture(scope="module")
def page(installed: Installed) -> Iterator[Page]:
    """A browser that stays signed in."""
    with sync_playwright() as playwright:
        here = "--host-resolver-rules=MAP * 127.0.0.1"
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, here])
        context = chromium.new_context(ignore_https_errors=True)
        page = context.new_page()
        yield page
        chromium.close()


def home(installed: Installed, page: Page) -> None:
    """Go to the portal's page; Chromium gives up when this machine's network changes meanwhile."""
    for last in (False, True):
        try:
            page.goto(f"{installed.url}/services/portal/")
            return
        except Error as error:
            if last or "ERR_NETWORK_CHANGED" not in error.message:
                raise


def test_she_signs_in_by_the_clusters_proxy(installed: Installed, page: Page) -> None:
    home(installed, page)
    page.get_by_label("Name").first.fill(PERSON)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("Trace elements in a reference sample")).to_be_visible()
    expect(page).to_have_title("Home · First title")


def test_a_desktop_opens_in_a_pod(installed: Installed, page: Page) -> None:
    """Through proxy, pod network and policies: picture and program."""
    page.get_by_role("button", name="Open in PyMca").first.click()
    page.locator("body[data-phase=running]").wait_for(timeout=60_000)
    assert len(installed.pods(SESSION)) == 1


def test_an_upgrade_leaves_the_running_session_alone(installed: Installed, page: Page) -> None:
    """The hub is started again with its new settings; nothing else is."""
    session, hub = installed.pods(SESSION), installed.pods("app.kubernetes.io/component=hub")
    secret = installed.kubectl("get", "secret", f"{RELEASE}-secret", "-o", "jsonpath={.data}")
    installed.values["hub"]["config"]["PortalApp"]["title"] = "Second title"
    del installed.values["hub"]["extraConfig"]
    installed.helm("upgrade")
    assert installed.pods(SESSION) == session
    assert installed.pods("app.kubernetes.io/component=hub") != hub
    kept = installed.kubectl("get", "secret", f"{RELEASE}-secret", "-o", "jsonpath={.data}")
    assert kept == secret
    settings = installed.kubectl("get", "secret", f"{RELEASE}-config", "-o", "jsonpath={.data}")
    assert set(json.loads(settings)) == {"values.json"}, "a snippet that was removed is gone"
    expect(page.locator("body[data-phase=running]")).to_be_visible()
    home(installed, page)
    expect(page).to_have_title("Home · Second title")
    expect(page.locator("[data-state=Running]")).to_have_count(1)
    hub = installed.pods("app.kubernetes.io/component=hub")
    installed.helm("upgrade")
    assert installed.pods("app.kubernetes.io/component=hub") == hub, "nothing had changed"


def test_a_hub_that_is_deleted_comes_back_and_finds_its_sessions(
    installed: Installed, page: Page
) -> None:
    session = installed.pods(SESSION)
    hub = f"deployment/{RELEASE}-hub"
    installed.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=hub", "--wait=true")
    installed.kubectl("rollout", "status", hub, "--timeout=60s")
    home(installed, page)
    expect(page.locator("[data-state=Running]")).to_have_count(1)
    assert installed.pods(SESSION) == session
    page.get_by_role("link", name="Continue").first.click()
    page.locator("body[data-phase=running]").wait_for(timeout=30_000)
    home(installed, page)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Stop PyMca").click()
    expect(page.locator("[data-state=Running]")).to_have_count(0)
    assert installed.pods(SESSION) == {}


def test_what_stays_is_what_the_notes_say(installed: Installed, page: Page) -> None:
    page.get_by_role("button", name="Open in PyMca").first.click()
    page.locator("body[data-phase=running]").wait_for(timeout=60_000)
    session = installed.pods(SESSION)
    installed.cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    ours = f"--selector=app.kubernetes.io/instance={RELEASE}"
    installed.kubectl("wait", "--for=delete", "pods", ours, "--timeout=60s")
    kinds = ("deployments,services,pods,networkpolicies,roles", "-o", "name")
    left = installed.kubectl("get", *kinds).split()
    closed = f"networkpolicy.networking.k8s.io/{RELEASE}-sessions"
    assert left == [*(f"pod/{name}" for name in session), closed], "she is still shut in"
    kept = installed.kubectl("get", "secrets,pvc", "-o", "name").split()
    secret, folders, state = kept
    assert secret == f"secret/{RELEASE}-secret"
    assert folders.startswith(f"persistentvolumeclaim/{RELEASE}-facility-")
    assert state == f"persistentvolumeclaim/{RELEASE}-state"
