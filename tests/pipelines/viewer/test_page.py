"""One file with the model and its viewer inside, that runs nothing but what is in it."""

import base64
import hashlib
import re

import numpy as np
import pytest
from chromium import a_browser
from toy import toy_mesh

from zero123pp.own import PAGE_MARK
from zero123pp.pipelines.viewer import ELEMENT, OFFLINE, model_page, viewer_file
from zero123pp.recon.export import save

EVIL = "</title><script>alert(1)</script>\"' onload=x {0} %s \udcff"


@pytest.mark.quick
def test_any_title_is_text_and_the_model_is_all_there():
    model = bytes(range(256)) * 3
    page = model_page(EVIL, model, summary=EVIL)
    assert page.encode("utf-8") and PAGE_MARK in page[:400]
    assert "<script>alert" not in page and page.count("&lt;script&gt;alert(1)") == 4
    (found,) = re.findall(r'src="data:model/gltf-binary;base64,([^"]*)"', page)
    assert base64.b64decode(found) == model
    assert "model/gltf+json" in model_page("a", b"{}", suffix=".gltf")


@pytest.mark.quick
def test_the_policy_knows_each_script_and_lets_nothing_out():
    page = model_page("toy", b"")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    scripts = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts}
    assert len(scripts) == 3 and hashes == set(re.findall(r"'sha256-([^']*)'", policy))
    assert "default-src 'none'" in policy and "http" not in policy and " 'unsafe-eval'" not in policy
    assert "*" not in policy and "'self'" not in policy
    for name in (OFFLINE, ELEMENT, "page.js"):  # either would end a script before its time
        assert not re.search(rb"</?script", viewer_file(name), re.IGNORECASE)
    assert not re.search(r"(?:src|href)=\"(?!data:)", page.replace(viewer_file(ELEMENT).decode(), ""))


@pytest.mark.slow
def test_a_browser_draws_the_object_and_asks_nobody(tmp_path):
    save(toy_mesh(48), tmp_path / "toy.glb")
    page = tmp_path / "toy.html"
    page.write_text(model_page("toy", (tmp_path / "toy.glb").read_bytes()))
    with a_browser(tmp_path) as browser:
        browser.show(page)
        browser.wait("document.querySelector('model-viewer')?.loaded === true")
        assert browser.run("document.getElementById('failed').hidden")
        front = browser.shot()
        browser.run("[...document.querySelectorAll('[data-orbit]')].find(b => b.textContent == 'back').click()")
        browser.run("document.querySelector('model-viewer').jumpCameraToGoal()")
        browser.wait("Math.abs(document.querySelector('model-viewer').getCameraOrbit().theta - Math.PI) < 1e-3")
        back = browser.shot()
        assert browser.asked == []
        with pytest.raises(AssertionError):  # the policy; the proxy that heard nothing hears what has none
            browser.run("fetch('http://somebody.invalid/a.glb', {mode: 'no-cors'})")
        assert browser.asked == []
        (tmp_path / "free.html").write_text("<!doctype html><img src='http://somebody.invalid/a.png'>")
        browser.show(tmp_path / "free.html")
        browser.wait("document.images[0]?.complete")
        assert any("somebody.invalid" in each for each in browser.asked)
    red = [is_red(shot).sum() for shot in (front, back)]
    assert red[0] > 100 and red[1] == 0, "its bow tie is in front"
    shot = front
    colours = len(np.unique(shot.reshape(-1, 3), axis=0))
    assert colours > 5000, colours
    fur = (shot[..., 0] > 1.4 * shot[..., 2].astype(int)) & (shot[..., 0] > 90)
    rows, columns = np.nonzero(fur)
    assert fur.mean() > 0.03
    assert abs(columns.mean() / shot.shape[1] - 0.5) < 0.05, "the bear is not in the middle"
    assert np.nonzero(is_red(shot))[0].mean() < rows.max() - 0.4 * np.ptp(rows), "it does not stand upright"


def is_red(shot):
    return (shot[..., 0] > 130) & (shot[..., 1] < 70) & (shot[..., 2] < 80)
