"""The options of the diffusion models: one table for flags, fields, checks, columns of a batch and the page."""

import argparse
from dataclasses import fields

import pytest
from paths import ROOT

from zero123pp.errors import BadInput
from zero123pp.options import options_of
from zero123pp.pipelines.batch.items import DRAWING, Item
from zero123pp.pipelines.commands import generation_flags
from zero123pp.pipelines.commands.options_page import with_table
from zero123pp.pipelines.inputs.sources import Source
from zero123pp.pipelines.models.options import Generation, ModelOptions

RECORDS = (Source, Generation, ModelOptions)


def test_every_field_is_in_the_table_and_every_need_too():
    names = {field.name for record in RECORDS for field in fields(record)}
    table = options_of(*RECORDS)
    assert {each.name for each in table} == names and len(table) == len(names)
    assert names.issuperset(need for each in table for need in each.needs)
    assert all(each.default is None or each.kind.fits(each.default) for each in table)


def test_every_flag_of_the_table_comes_back_as_its_field():
    parser = argparse.ArgumentParser()
    for under_headings in (False, True):
        generation_flags.add_table(parser, *RECORDS, under_headings=under_headings)
    table = [each for each in options_of(*RECORDS) if each.flag and not each.is_shared]
    assert set(vars(parser.parse_args([]))) == {each.name for each in table} and not any(
        vars(parser.parse_args([])).values()
    )
    words = {"up": "x", "depth_scale": "0.5", "refiner_strength": "0.5", "refiner_steps": "4", "refiner_draws": "2"}
    words |= {"guidance_interval": "0.2,0.8", "cache_interval": "2"}
    for each in table:
        value = each.kind.choices[0] if each.kind.choices else words.get(each.name, "some")
        typed = [each.flag] if isinstance(each.default, bool) else [each.flag, value]
        expected = True if isinstance(each.default, bool) else each.kind.read(value)
        assert generation_flags.typed(parser.parse_args(typed), *RECORDS) == {each.name: expected}


def test_columns_of_a_batch_are_fields_of_its_items():
    assert {"steps", "guidance"} == set(DRAWING) <= {field.name for field in fields(Item)}


@pytest.mark.parametrize(
    ("record", "values", "message"),
    [
        (
            Generation,
            {"depth_scale": 0.5},
            "depth_scale belongs to depth, depth_from or depth_refine, which is missing",
        ),
        (Generation, {"depth_from": 5}, "depth_from is 5; expected the path of a mesh, or meshes"),
        (Generation, {"depth_from": "a.obj", "depth_refine": True}, "depth_from and depth_refine given together"),
        (Generation, {"steps": "many"}, "steps is 'many'; expected a whole number from 1 to 1000"),
        (Generation, {"depth": 3}, "depth is 3; expected a picture or a path"),
        (Generation, {"guidance": float("inf")}, "guidance is inf"),
        (Generation, {"with_normals": "yes"}, "with_normals is 'yes'; expected True or False"),
        (ModelOptions, {"sampler": "heun"}, "sampler is 'heun'; expected one of euler-a"),
        (ModelOptions, {"unet_background": "gray"}, "unet_background belongs to unet, which is missing"),
        (ModelOptions, {"vae_tiling": None}, "vae_tiling is None"),
    ],
)
def test_the_library_checks_by_the_table(record, values, message):
    with pytest.raises(BadInput, match=f"^{message}"):
        record(**values)


def test_docs_hold_the_table_as_it_is():
    page = (ROOT / "docs" / "models.md").read_text()
    assert with_table(page) == page, "run python -m zero123pp.pipelines.commands.options_page docs/models.md"
    assert with_table(page.replace("denoising steps |", "steps |")) == page
    with pytest.raises(BadInput, match="no lines"):
        with_table("# nothing")
